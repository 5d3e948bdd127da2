// SPDX-License-Identifier: Apache-2.0
#include "common/secret_box.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"

namespace ipmit::common {
namespace {

constexpr unsigned char kVersion = 1;
constexpr std::size_t kHeaderBytes = 3;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kMaxFileBytes = 1 << 20;
constexpr int kBase64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
static_assert(kHeaderBytes + kNonceBytes + kTagBytes == SecretBox::kOverheadBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == 32);
static_assert(crypto_kdf_KEYBYTES == KeyRing::kKeyBytes);

unsigned char* bytes(char* text) {
  return reinterpret_cast<unsigned char*>(text);
}
const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void require_sodium() {
  static const int started = sodium_init();  // 0 or 1 (was started); -1 has no randomness
  if (started < 0) throw PermanentError("libsodium: cannot start");
}

std::string reason_of_errno() {
  return std::generic_category().message(errno);
}

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& reason) {
  throw PermanentError(path.string() + ": " + reason);
}

class File {
 public:
  File(const std::filesystem::path& path, int flags, mode_t mode = 0)
      : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
    if (fd_ < 0) fail(path, reason_of_errno());
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  struct stat status() const {
    struct stat result {};
    if (::fstat(fd_, &result) != 0) fail(path_, reason_of_errno());
    return result;
  }

  std::string read_all() const {
    std::string text;
    char part[4096];
    for (;;) {
      const ssize_t n = ::read(fd_, part, sizeof part);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(path_, reason_of_errno());
      if (n == 0) return text;
      text.append(part, static_cast<std::size_t>(n));
      if (text.size() > kMaxFileBytes) fail(path_, "too long for a key file");
    }
  }

  void write_all(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = ::write(fd_, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(path_, reason_of_errno());
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(fd_) != 0) fail(path_, reason_of_errno());
  }

  void set_owner_and_mode(const struct stat& like) const {
    if (::fchown(fd_, like.st_uid, like.st_gid) != 0 || ::fchmod(fd_, like.st_mode & 07777) != 0)
      fail(path_, reason_of_errno());
  }

 private:
  const std::filesystem::path& path_;
  int fd_;
};

KeyRing::Key new_key(std::uint16_t id) {
  require_sodium();
  KeyRing::Key key;
  key.id = id;
  randombytes_buf(key.bytes.data(), key.bytes.size());
  return key;
}

std::string to_line(const KeyRing::Key& key) {
  const std::string_view raw(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size());
  return std::to_string(key.id) + " " + to_base64url(raw) + "\n";
}

constexpr std::string_view kFileComment =
    "# ipmit keys, one a line: ID KEY. Secret. The highest ID seals, all of them open.\n";

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// "ID KEY"; otherwise the reason, which never repeats the text: it may hold a secret.
Result<KeyRing::Key> parse_line(std::string_view line) {
  KeyRing::Key key;
  const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), key.id);
  if (error != std::errc() || key.id == 0) return Problem{"expected an ID from 1 to 65535"};
  const auto used = static_cast<std::size_t>(rest - line.data());
  const auto raw = from_base64url(trim(line.substr(used)));
  if (used == line.size() || (*rest != ' ' && *rest != '\t') || !raw ||
      raw->size() != KeyRing::kKeyBytes)
    return Problem{"expected \"ID KEY\" with a KEY of 32 bytes in base64url (43 characters)"};
  std::memcpy(key.bytes.data(), raw->data(), raw->size());
  return key;
}

std::vector<KeyRing::Key> parse_keys(const std::filesystem::path& path, std::string_view text) {
  std::vector<KeyRing::Key> keys;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const auto key = parse_line(line);
    const std::string place = "line " + std::to_string(number) + ": ";
    if (!key) fail(path, place + key.problem());
    const auto same = [&](const KeyRing::Key& other) { return other.id == key->id; };
    if (std::any_of(keys.begin(), keys.end(), same))
      fail(path, place + "ID " + std::to_string(key->id) + " comes twice");
    keys.push_back(*key);
  }
  if (keys.empty()) fail(path, "holds no key");
  std::sort(keys.begin(), keys.end(),
            [](const KeyRing::Key& a, const KeyRing::Key& b) { return a.id > b.id; });
  return keys;
}

std::string additional_data(std::string_view header, std::string_view purpose) {
  return std::string(header).append(purpose);
}

}  // namespace

KeyRing KeyRing::load(const std::filesystem::path& path) {
  const File file(path, O_RDONLY);
  if ((file.status().st_mode & (S_IROTH | S_IWOTH)) != 0)
    fail(path, "is open to all users; chmod 0600 (or 0640 with ipmit's group) it");
  return KeyRing(parse_keys(path, file.read_all()));
}

void KeyRing::create_file(const std::filesystem::path& path) {
  const File file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  file.write_all(std::string(kFileComment) + to_line(new_key(1)));
}

std::uint16_t KeyRing::rotate_file(const std::filesystem::path& path, std::size_t keep) {
  std::vector<Key> keys = load(path).keys();
  if (keys.front().id == UINT16_MAX) fail(path, "ID 65535 is the last one; start a new key file");
  const auto id = static_cast<std::uint16_t>(keys.front().id + 1);
  keys.insert(keys.begin(), new_key(id));
  keys.resize(std::clamp<std::size_t>(keep, 1, keys.size()));

  std::string text(kFileComment);
  for (const Key& key : keys) text += to_line(key);
  const std::filesystem::path aside = path.string() + ".new";
  ::unlink(aside.c_str());  // left by a rotation that died
  {
    const File file(aside, O_WRONLY | O_CREAT | O_EXCL, 0600);
    file.set_owner_and_mode(File(path, O_RDONLY).status());
    file.write_all(text);
  }
  if (::rename(aside.c_str(), path.c_str()) != 0) fail(path, reason_of_errno());
  return id;
}

SecretBox::SecretBox(const KeyRing& ring) {
  require_sodium();
  for (const KeyRing::Key& key : ring.keys()) {
    Derived derived;
    derived.id = key.id;
    crypto_kdf_derive_from_key(derived.seal.data(), derived.seal.size(), 1, "ipmit.1.",
                               key.bytes.data());
    crypto_kdf_derive_from_key(derived.hash.data(), derived.hash.size(), 2, "ipmit.1.",
                               key.bytes.data());
    keys_.push_back(derived);
  }
}

std::string SecretBox::seal(std::string_view plain, std::string_view purpose) const {
  const Derived& key = keys_.front();
  std::string out(kHeaderBytes + kNonceBytes + plain.size() + kTagBytes, '\0');
  out[0] = static_cast<char>(kVersion);
  out[1] = static_cast<char>(key.id >> 8);
  out[2] = static_cast<char>(key.id & 0xff);
  unsigned char* nonce = bytes(out.data()) + kHeaderBytes;
  randombytes_buf(nonce, kNonceBytes);
  const std::string extra = additional_data(std::string_view(out).substr(0, kHeaderBytes), purpose);
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonceBytes, nullptr, bytes(plain),
                                             plain.size(), bytes(extra), extra.size(), nullptr,
                                             nonce, key.seal.data());
  return out;
}

std::optional<std::string> SecretBox::open(std::string_view sealed,
                                           std::string_view purpose) const {
  if (sealed.size() < kOverheadBytes || bytes(sealed)[0] != kVersion) return std::nullopt;
  const unsigned id = unsigned{bytes(sealed)[1]} << 8 | bytes(sealed)[2];
  const auto key = std::find_if(keys_.begin(), keys_.end(),
                                [&](const Derived& candidate) { return candidate.id == id; });
  if (key == keys_.end()) return std::nullopt;

  const unsigned char* nonce = bytes(sealed) + kHeaderBytes;
  const std::size_t box_size = sealed.size() - kHeaderBytes - kNonceBytes;
  const std::string extra = additional_data(sealed.substr(0, kHeaderBytes), purpose);
  std::string plain(box_size - kTagBytes, '\0');
  const int status = crypto_aead_xchacha20poly1305_ietf_decrypt(
      bytes(plain.data()), nullptr, nullptr, nonce + kNonceBytes, box_size, bytes(extra),
      extra.size(), nonce, key->seal.data());
  if (status != 0) return std::nullopt;
  return plain;
}

std::vector<std::string> SecretBox::fingerprints(std::string_view text,
                                                 std::string_view purpose) const {
  // The purpose is hashed with its length before it, so no (purpose, text) looks like another.
  std::string input = std::to_string(purpose.size());
  input.append(":").append(purpose).append(text);
  std::vector<std::string> result;
  for (const Derived& key : keys_) {
    std::string hash(16, '\0');
    crypto_generichash(bytes(hash.data()), hash.size(), bytes(input), input.size(), key.hash.data(),
                       key.hash.size());
    result.push_back(to_base64url(hash));
  }
  return result;
}

std::vector<std::uint16_t> SecretBox::key_ids() const {
  std::vector<std::uint16_t> ids;
  for (const Derived& key : keys_) ids.push_back(key.id);
  return ids;
}

std::string to_base64url(std::string_view raw) {
  std::string text(sodium_base64_encoded_len(raw.size(), kBase64), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes(raw), raw.size(), kBase64);
  text.pop_back();  // the terminating NUL
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string raw(text.size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const int status = sodium_base642bin(bytes(raw.data()), raw.size(), text.data(), text.size(),
                                       nullptr, &size, &end, kBase64);
  if (status != 0 || end != text.data() + text.size()) return std::nullopt;
  raw.resize(size);
  return raw;
}

std::array<unsigned char, 16> checksum(std::string_view input) {
  require_sodium();
  std::array<unsigned char, 16> sum{};
  crypto_generichash(sum.data(), sum.size(), bytes(input), input.size(), nullptr, 0);
  return sum;
}

}  // namespace ipmit::common
