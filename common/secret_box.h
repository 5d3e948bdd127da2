// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ipmit::common {

// The secret keys of an installation, shared by all its programs: a text file of one key a line,
// "ID KEY", ID 1 to 65535, KEY 32 bytes in base64url without padding; blank lines and lines that
// start with '#' are skipped. The highest ID is the newest: it seals and fingerprints, the others
// only open what was sealed before. Immutable value.
class KeyRing {
 public:
  static constexpr std::size_t kKeyBytes = 32;
  struct Key {
    std::uint16_t id = 0;
    std::array<unsigned char, kKeyBytes> bytes{};
  };

  // Blocks on the file system. PermanentError, with path, line and reason: missing, readable or
  // writable by others, no key, malformed line, an ID twice.
  static KeyRing load(const std::filesystem::path& path);

  // A file of one new random key, mode 0600. PermanentError if there is a file already.
  static void create_file(const std::filesystem::path& path);
  // Adds a new newest key and keeps the `keep` newest ones (at least 1, the new one included).
  // Replaces the file atomically, with its old owner and mode; returns the new ID.
  static std::uint16_t rotate_file(const std::filesystem::path& path, std::size_t keep);

  const std::vector<Key>& keys() const { return keys_; }  // newest first, never empty

 private:
  explicit KeyRing(std::vector<Key> keys) : keys_(std::move(keys)) {}
  std::vector<Key> keys_;
};

// Authenticated encryption (XChaCha20-Poly1305) and keyed hashes (BLAKE2b) with the keys of a ring;
// each use has its own key, derived from the ring's. Immutable, thread-safe, never blocks.
class SecretBox {
 public:
  explicit SecretBox(const KeyRing& ring);

  // What seal() adds to the length of its input: version, key ID, nonce and tag.
  static constexpr std::size_t kOverheadBytes = 1 + 2 + 24 + 16;

  // `purpose` is authenticated, not stored: what was sealed for one purpose opens for no other.
  std::string seal(std::string_view plain, std::string_view purpose) const;
  // nullopt: not sealed by a key of this ring for this purpose, or changed since.
  std::optional<std::string> open(std::string_view sealed, std::string_view purpose) const;

  // The same text gives the same 16 bytes (as 22 characters of base64url) as long as the key lives,
  // and without the key nobody can tell which text it was. One for each key, newest first: store
  // the first, look up all of them.
  std::vector<std::string> fingerprints(std::string_view text, std::string_view purpose) const;
  // The ID of the key that made each of them.
  std::vector<std::uint16_t> key_ids() const;

 private:
  struct Derived {
    std::uint16_t id = 0;
    std::array<unsigned char, 32> seal{};
    std::array<unsigned char, 32> hash{};
  };
  std::vector<Derived> keys_;
};

// RFC 4648 section 5, without padding. from_base64url is strict: one text for each value.
std::string to_base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

// BLAKE2b-128 without a key: finds damage, keeps nothing secret.
std::array<unsigned char, 16> checksum(std::string_view bytes);

}  // namespace ipmit::common
