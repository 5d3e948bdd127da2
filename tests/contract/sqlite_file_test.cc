// SPDX-License-Identifier: Apache-2.0
// What can be wrong with a file: rights, damage, versions, another file in its place.
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "schema/sql_steps.h"
#include "schema/sqlite_connection.h"
#include "schema/sqlite_store.h"
#include "tests/contract/store_contract.h"
#include "tests/support/process.h"

namespace ipmit::test {
namespace {

using common::Duration;
using common::PermanentError;
using common::TransientError;
using policy::Mitigation;
using schema::PutMode;
using schema::PutResult;
using schema::SqliteStore;
using Path = std::filesystem::path;

constexpr uid_t kNobody = 65534;

class SqliteFile : public ::testing::Test {
 protected:
  Path path() const { return directory_ / "ipmit.db"; }
  SqliteStore open(bool may_migrate = true) { return SqliteStore(path(), may_migrate); }

  // A store with one rule, closed again.
  void fill(std::string_view name = "m") {
    SqliteStore store = open();
    Mitigation mitigation = make_mitigation(name, "192.0.2.1");
    ASSERT_EQ(store.put(mitigation, PutMode::kAddOnly, kNote, kNoon), PutResult::kAdded);
  }
  void sql(const std::string& statements) { schema::SqliteConnection(path()).execute(statements); }

  TempDir directory_{"sqlite"};
};

// What `call` complains about, with the error's kind before it; "nothing" if it does not.
std::string complaint(const std::function<void()>& call) {
  try {
    call();
  } catch (const PermanentError& error) {
    return std::string("permanent: ") + error.what();
  } catch (const TransientError& error) {
    return std::string("transient: ") + error.what();
  }
  return "nothing";
}

void expect_complaint(const std::string& text, const Path& path, const std::string& reason) {
  EXPECT_EQ(text.rfind("permanent: ", 0), 0U) << text;
  EXPECT_NE(text.find(path.string()), std::string::npos) << text;
  EXPECT_NE(text.find(reason), std::string::npos) << text;
}

// Runs `call` as a user without any right of its own; 0: it came back without an exception.
int as_nobody(const std::function<void()>& call) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(99);
    try {
      call();
      ::_exit(0);
    } catch (const PermanentError&) {
      ::_exit(1);
    } catch (const std::exception&) {
      ::_exit(2);
    }
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(SqliteFile, IsMadeForItsGroupOnly) {
  const mode_t old = ::umask(077);
  open();
  ::umask(old);
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
}

TEST_F(SqliteFile, OfRootBelongsToTheOwnerOfItsDirectory) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::chown(directory_.path().c_str(), kNobody, kNobody), 0);
  fill();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status {};
    ASSERT_EQ(::stat((path().string() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_uid, kNobody) << suffix;
    EXPECT_EQ(status.st_gid, kNobody) << suffix;
  }
  EXPECT_EQ(as_nobody([&] { fill("another"); }), 0);
}

TEST_F(SqliteFile, LeavesNothingElseBehind) {
  open();
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
    files.push_back(entry.path().filename());
  std::sort(files.begin(), files.end());
  EXPECT_EQ(files, (std::vector<std::string>{"ipmit.db", "ipmit.db-shm", "ipmit.db-wal"}));
}

TEST_F(SqliteFile, MadeBySeveralAtOnceIsOne) {
  std::vector<std::jthread> makers;
  std::atomic<int> added = 0;
  for (int i = 0; i < 4; ++i)
    makers.emplace_back([&, i] {
      SqliteStore store = open();
      Mitigation mitigation = make_mitigation("m" + std::to_string(i), "192.0.2.1");
      added += store.put(mitigation, PutMode::kAddOnly, kNote, kNoon) == PutResult::kAdded;
    });
  makers.clear();
  EXPECT_EQ(added, 4);
  EXPECT_EQ(open(false).load().set.mitigations.size(), 4U);
}

TEST_F(SqliteFile, MissingIsNotMadeByReaders) {
  expect_complaint(complaint([&] { open(false); }), path(), "ipmitctl migrate");
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(SqliteFile, MissingDirectoryIsNamed) {
  const Path nowhere = directory_ / "no/ipmit.db";
  expect_complaint(complaint([&] { SqliteStore(nowhere, true); }), directory_ / "no",
                   "create the directory");
}

TEST_F(SqliteFile, UnwritableDirectoryIsPermanent) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(as_nobody([&] { open(); }), 1);
}

TEST_F(SqliteFile, DirectoryInItsPlace) {
  std::filesystem::create_directory(path());
  expect_complaint(complaint([&] { open(); }), path(), "not a file");
}

TEST_F(SqliteFile, OfAnotherProgram) {
  write_file(path(), "");
  schema::SqliteConnection(path()).execute("CREATE TABLE t (x)");
  expect_complaint(complaint([&] { open(); }), path(), "not one of ipmit");
}

TEST_F(SqliteFile, EmptyIsDamageAndNotANewStore) {
  write_file(path(), "");
  expect_complaint(complaint([&] { open(); }), path(), "damaged (the file is empty)");
}

TEST_F(SqliteFile, GarbageIsDamage) {
  write_file(path(), std::string(8192, 'x'));
  expect_complaint(complaint([&] { open(); }), path(), "restore a backup");
}

// Wherever a page is overwritten or the end is cut, load() throws or gives all rules: never fewer.
TEST_F(SqliteFile, NoDamageLosesRules) {
  constexpr std::size_t kRules = 200, kPage = 4096;
  {
    SqliteStore store = open();
    for (std::size_t i = 0; i < kRules; ++i) {
      Mitigation mitigation = make_mitigation("m" + std::to_string(i), "192.0.2.1");
      store.put(mitigation, PutMode::kAddOnly, kNote, kNoon);
    }
  }
  sql("PRAGMA wal_checkpoint(TRUNCATE)");
  const std::string good = read_file(path());
  ASSERT_GT(good.size(), 10 * kPage);
  int damaged = 0;
  const auto check = [&](const std::string& bytes, const std::string& what) {
    for (const char* suffix : {"", "-wal", "-shm"})
      std::filesystem::remove(path().string() + suffix);
    write_file(path(), bytes);
    const std::string said = complaint([&] {
      const auto loaded = open(false).load();
      EXPECT_EQ(loaded.set.mitigations.size() + loaded.skipped, kRules) << what;
    });
    damaged += said != "nothing";
    EXPECT_NE(said.rfind("transient", 0), 0U) << what << ": " << said;
  };
  for (std::size_t page = 0; page < good.size() / kPage; ++page) {
    std::string bytes = good;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(page * kPage), kPage, '\0');
    check(bytes, "page " + std::to_string(page) + " zeroed");
    check(good.substr(0, page * kPage + 1000), "cut in page " + std::to_string(page));
  }
  EXPECT_GT(damaged, 10);
}

TEST_F(SqliteFile, RulesThatVanishedAreDamage) {
  fill("a");
  fill("b");
  sql("DROP TRIGGER mitigations_fewer; DELETE FROM mitigations WHERE name = 'a'");
  expect_complaint(complaint([&] { open().load(); }), path(), "1 of 2 mitigations");
}

TEST_F(SqliteFile, NewerSchemaNamesBothVersions) {
  fill();
  sql("PRAGMA user_version = 7");
  for (const bool may_migrate : {true, false})
    expect_complaint(complaint([&] { open(may_migrate); }), path(),
                     "has schema version 7, this ipmit knows version " +
                         std::to_string(schema::sqlite_steps().size()));
}

TEST_F(SqliteFile, OlderSchemaIsNotChangedByReaders) {
  fill();
  sql("PRAGMA user_version = 0");
  expect_complaint(complaint([&] { open(false); }), path(), "ipmitctl migrate");
}

TEST_F(SqliteFile, ReaderNeedsOnlyTheRightToRead) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  fill();  // and closed: no program has it open
  for (const char* suffix : {"", "-wal", "-shm"})
    std::filesystem::permissions(path().string() + suffix, std::filesystem::perms(0644));
  const auto read = [&] {
    if (open(false).load().set.mitigations.size() != 1) throw std::runtime_error("not all");
  };
  EXPECT_EQ(as_nobody(read), 0) << "alone";
  SqliteStore writer = open();
  writer.load();
  EXPECT_EQ(as_nobody(read), 0) << "beside a writer";
  EXPECT_EQ(as_nobody([&] { fill("another"); }), 1) << "a write is refused";
}

TEST_F(SqliteFile, ReaderSeesChanges) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  fill();
  for (const char* suffix : {"", "-wal", "-shm"})
    std::filesystem::permissions(path().string() + suffix, std::filesystem::perms(0644));
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  std::jthread writer([&] {
    char byte = 0;
    if (::read(ready[0], &byte, 1) == 1) fill("another");
  });
  EXPECT_EQ(as_nobody([&] {
              SqliteStore store = open(false);
              store.load();
              if (::write(ready[1], "x", 1) != 1) ::_exit(98);
              if (!store.wait_for_change(kPatience, {})) throw std::runtime_error("no change");
              if (store.load().set.revision != 2) throw std::runtime_error("not the change");
            }),
            0);
}

TEST_F(SqliteFile, ReplacedFileIsAnotherHistory) {
  fill();
  std::filesystem::copy_file(path(), directory_ / "backup");
  fill("later");
  SqliteStore store = open();
  const auto before = store.load();
  EXPECT_EQ(before.set.revision, 2U);
  schema::SqliteConnection(path()).execute("PRAGMA wal_checkpoint(TRUNCATE)");
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path().string() + suffix);
  std::filesystem::rename(directory_ / "backup", path());
  EXPECT_TRUE(store.wait_for_change(Duration(0), {}));
  const auto after = store.load();
  EXPECT_LT(after.set.revision, 2U);
  EXPECT_NE(after.epoch, before.epoch) << "else readers would ignore the lower revision";
}

TEST_F(SqliteFile, RevisionThatWentBackIsAnotherHistory) {
  fill();
  SqliteStore store = open();
  const auto before = store.load();
  sql("UPDATE state SET revision = 0");  // as `sqlite3 ipmit.db ".restore backup"` does
  EXPECT_TRUE(store.wait_for_change(kPatience, {}));
  const auto after = store.load();
  EXPECT_EQ(after.set.revision, 0U);
  EXPECT_NE(after.epoch, before.epoch);
}

TEST_F(SqliteFile, RemovedWhileInUse) {
  SqliteStore store = open();
  store.load();
  std::filesystem::remove(path());
  expect_complaint(complaint([&] { store.wait_for_change(Duration(0), {}); }), path(), "removed");
  Mitigation mitigation = make_mitigation("m", "192.0.2.1");
  expect_complaint(complaint([&] { store.put(mitigation, PutMode::kAddOnly, kNote, kNoon); }),
                   path(), "removed");
}

TEST_F(SqliteFile, LockedForLongIsTransient) {
  fill();
  schema::SqliteConnection other(path());
  const schema::SqliteTransaction held(other, schema::SqliteTransaction::Kind::kWrite);
  SqliteStore store = open(false);
  EXPECT_EQ(store.load().set.mitigations.size(), 1U) << "readers do not wait";
  Mitigation mitigation = make_mitigation("another", "192.0.2.1");
  const std::string said =
      complaint([&] { store.put(mitigation, PutMode::kAddOnly, kNote, kNoon); });
  EXPECT_EQ(said.rfind("transient: ", 0), 0U) << said;
  EXPECT_EQ(store.find("another"), std::nullopt);
}

TEST(OpenStore, RefusesWhatIsNoStore) {
  for (const char* url :
       {"", "sqlite:", "mysql://host/db", "/var/lib/ipmit/ipmit.db", "postgresql:"})
    EXPECT_NE(complaint([&] { schema::open_store(url, true); }).find("must be sqlite:/PATH"),
              std::string::npos)
        << url;
}

}  // namespace
}  // namespace ipmit::test
