// SPDX-License-Identifier: Apache-2.0
#include "common/secret_box.h"

#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/error.h"

namespace ipmit::common {
namespace {

namespace fs = std::filesystem;

class SecretBoxTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ipmit-keys-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ / "keys";
  }
  void TearDown() override { fs::remove_all(directory_); }

  void write(std::string_view text, fs::perms mode = fs::perms::owner_read) {
    std::ofstream(path_, std::ios::trunc) << text;
    fs::permissions(path_, mode | fs::perms::owner_write);
  }
  std::string problem() {
    try {
      KeyRing::load(path_);
    } catch (const PermanentError& error) {
      return error.what();
    }
    return "";
  }

  fs::path directory_, path_;
};

constexpr const char* kKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

TEST_F(SecretBoxTest, CreatesAPrivateFileOnce) {
  KeyRing::create_file(path_);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(KeyRing::load(path_).keys().size(), 1U);
  EXPECT_THROW(KeyRing::create_file(path_), PermanentError);
}

TEST_F(SecretBoxTest, SaysWhatIsWrongWithAKeyFile) {
  const struct {
    const char* sentence;
    std::string text;
    std::string want;
  } rows[] = {
      {"nothing in it", "# only this\n\n", "holds no key"},
      {"no id", std::string(kKey) + "\n", "line 1: expected"},
      {"id zero", std::string("0 ") + kKey, "line 1: expected an ID"},
      {"id too high", std::string("65536 ") + kKey, "line 1: expected an ID"},
      {"short key", "# x\n1 AAEC\n", "line 2: expected \"ID KEY\""},
      {"id only", "7", "line 1: expected \"ID KEY\""},
      {"id and key glued", std::string("7") + kKey, "line 1: expected \"ID KEY\""},
      {"padded key", std::string("1 ") + kKey + "=\n", "line 1: expected \"ID KEY\""},
      {"twice", std::string("1 ") + kKey + "\n1 " + kKey + "\n", "line 2: ID 1 comes twice"},
  };
  for (const auto& row : rows) {
    write(row.text);
    EXPECT_THAT(problem(), testing::StartsWith(path_.string() + ": " + row.want)) << row.sentence;
    EXPECT_THAT(problem(), testing::Not(testing::HasSubstr(kKey))) << row.sentence;
  }
  write(std::string("1 ") + kKey, fs::perms::owner_read | fs::perms::others_read);
  EXPECT_THAT(problem(), testing::HasSubstr("open to all users"));
  fs::remove(path_);
  EXPECT_THAT(problem(), testing::HasSubstr("No such file"));
}

TEST_F(SecretBoxTest, HighestIdIsTheNewestWhateverTheOrder) {
  write(std::string("2 ") + kKey + "\r\n  9\t" + kKey + " \n# x\n3 " + kKey);
  const KeyRing ring = KeyRing::load(path_);
  ASSERT_EQ(ring.keys().size(), 3U);
  EXPECT_EQ(ring.keys()[0].id, 9);
  EXPECT_EQ(ring.keys()[2].id, 2);
  EXPECT_EQ(ring.keys()[0].bytes[31], 31);
}

TEST_F(SecretBoxTest, OpensWhatItSealed) {
  KeyRing::create_file(path_);
  const SecretBox box(KeyRing::load(path_));
  for (const std::string& plain : {std::string(), std::string("x"), std::string(1000, '\0')}) {
    const std::string sealed = box.seal(plain, "test");
    EXPECT_EQ(sealed.size(), plain.size() + SecretBox::kOverheadBytes);
    EXPECT_EQ(box.open(sealed, "test"), plain);
    EXPECT_NE(box.seal(plain, "test"), sealed);
    EXPECT_FALSE(box.open(sealed, "other"));
  }
}

TEST_F(SecretBoxTest, RefusesEveryChangedByteAndEveryCut) {
  KeyRing::create_file(path_);
  const SecretBox box(KeyRing::load(path_));
  const std::string sealed = box.seal("plain text", "test");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(box.open(changed, "test")) << i;
    EXPECT_FALSE(box.open(sealed.substr(0, i), "test")) << i;
  }
  EXPECT_FALSE(box.open(sealed + "x", "test"));
}

TEST_F(SecretBoxTest, RotationSealsWithTheNewestAndOpensWithAll) {
  KeyRing::create_file(path_);
  const SecretBox before(KeyRing::load(path_));
  const std::string old = before.seal("x", "test");
  EXPECT_EQ(KeyRing::rotate_file(path_, 2), 2);
  const SecretBox after(KeyRing::load(path_));
  EXPECT_EQ(after.open(old, "test"), "x");
  EXPECT_FALSE(before.open(after.seal("x", "test"), "test"));
  EXPECT_EQ(after.fingerprints("a", "t").size(), 2U);
  EXPECT_EQ(after.fingerprints("a", "t")[1], before.fingerprints("a", "t")[0]);

  EXPECT_EQ(KeyRing::rotate_file(path_, 2), 3);  // the first key goes
  EXPECT_FALSE(SecretBox(KeyRing::load(path_)).open(old, "test"));
  EXPECT_FALSE(fs::exists(path_.string() + ".new"));
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(SecretBoxTest, RotationKeepsTheMode) {
  KeyRing::create_file(path_);
  fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read);
  KeyRing::rotate_file(path_, 0);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
  EXPECT_EQ(KeyRing::load(path_).keys().size(), 1U);
}

TEST_F(SecretBoxTest, FingerprintsDependOnTextPurposeAndKey) {
  write(std::string("1 ") + kKey);
  const SecretBox box(KeyRing::load(path_));
  std::set<std::string> seen;
  for (const auto& [text, purpose] : {std::pair<const char*, const char*>{"ab", "c"},
                                      {"b", "ca"},
                                      {"abc", ""},
                                      {"", "abc"},
                                      {"", ""}}) {
    const auto prints = box.fingerprints(text, purpose);
    ASSERT_EQ(prints.size(), 1U);
    EXPECT_EQ(prints[0].size(), 22U);
    EXPECT_TRUE(seen.insert(prints[0]).second) << text << '/' << purpose;
    EXPECT_EQ(box.fingerprints(text, purpose), prints);
  }
}

TEST(Base64url, IsStrict) {
  for (const std::string_view raw : {"", "a", "ab", "abc", "\xff\xfe\xfd\xfc"})
    EXPECT_EQ(from_base64url(to_base64url(raw)), raw);
  EXPECT_EQ(to_base64url("\xfb\xff"), "-_8");
  for (const char* bad : {"A", "AB", "AAA=", "AA==", "AA A", "+/8", "AAAA\n", "\xc3\xa4"})
    EXPECT_FALSE(from_base64url(bad)) << bad;  // "AB": bits left over
}

TEST(Checksum, ChangesWithTheContent) {
  EXPECT_EQ(checksum("abc"), checksum("abc"));
  EXPECT_NE(checksum("abc"), checksum("abd"));
  EXPECT_NE(checksum(""), checksum(std::string(1, '\0')));
}

}  // namespace
}  // namespace ipmit::common
