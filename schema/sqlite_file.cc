// SPDX-License-Identifier: Apache-2.0
#include "schema/sqlite_file.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "schema/sql_steps.h"

namespace ipmit::schema {
namespace {

using common::PermanentError;
using common::TransientError;
using Path = std::filesystem::path;
using Kind = SqliteTransaction::Kind;

constexpr std::int64_t kApplicationId = 0x69706d74;
constexpr mode_t kFileMode = 0640;

std::string system_reason() {
  return std::system_category().message(errno);
}

// Removes a file that was made on the way, whatever happens.
class Scratch {
 public:
  explicit Scratch(Path path) : path_(std::move(path)) {}
  ~Scratch() {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"})
      ::unlink((path_.string() + suffix).c_str());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const Path& path() const { return path_; }

 private:
  Path path_;
};

Path directory_of(const Path& path) {
  return path.has_parent_path() ? path.parent_path() : Path(".");
}

// An empty file only we can see. The administrator's `sudo ipmitctl` must not lock the milter out,
// so root gives it to the owner of the directory; SQLite makes -wal and -shm alike.
void make_scratch_file(const Path& path, const Path& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0)
    throw PermanentError(directory.string() + ": " + system_reason() +
                         ": create the directory for the database, owned by the user of ipmit");
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, kFileMode);
  if (file < 0)
    throw PermanentError(directory.string() + ": " + system_reason() +
                         ": this user can not create the database there");
  bool done = ::fchmod(file, kFileMode) == 0;  // whatever the umask
  if (::geteuid() == 0) done = done && ::fchown(file, status.st_uid, status.st_gid) == 0;
  const std::string reason = done ? "" : system_reason();
  ::close(file);
  if (!done) throw PermanentError(path.string() + ": " + reason);
}

std::int64_t schema_version(SqliteConnection& connection) {
  return connection.value("PRAGMA user_version");
}

std::int64_t newest_version() {
  return sqlite_steps().back().version;
}

void run_steps(SqliteConnection& connection) {
  SqliteTransaction transaction(connection, Kind::kWrite);
  const std::int64_t have = schema_version(connection);
  for (const SqlStep& step : sqlite_steps()) {
    if (step.version <= have) continue;
    connection.execute(std::string(step.sql));
    connection.execute("PRAGMA user_version = " + std::to_string(step.version));
  }
  transaction.commit();
}

// Built aside and linked into place: complete or not there. Loses quietly to whoever was first.
void create_database(const Path& path) {
  const Path directory = directory_of(path);
  std::array<std::uint8_t, 6> random{};
  if (::getentropy(random.data(), random.size()) != 0) throw TransientError(system_reason());
  std::string name = path.filename().string() + ".new-";
  for (const std::uint8_t byte : random) name += "0123456789abcdef"[byte & 15];
  const Scratch scratch(directory / name);
  make_scratch_file(scratch.path(), directory);
  {
    SqliteConnection connection(scratch.path());
    connection.execute("PRAGMA journal_mode = WAL");
    run_steps(connection);
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  if (::link(scratch.path().c_str(), path.c_str()) != 0 && errno != EEXIST)
    throw PermanentError(path.string() + ": " + system_reason());
}

void check_identity(SqliteConnection& connection) {
  if (connection.value("PRAGMA application_id") != kApplicationId)
    throw PermanentError(connection.path().string() +
                         ": an SQLite database, but not one of ipmit; is `store` right?");
}

void check_version(SqliteConnection& connection, bool may_migrate) {
  const std::int64_t have = schema_version(connection);
  const std::int64_t want = newest_version();
  const auto complain = [&](const std::string& what) {
    throw PermanentError(connection.path().string() + ": has schema version " +
                         std::to_string(have) + ", this ipmit knows version " +
                         std::to_string(want) + ": " + what);
  };
  if (have > want) complain("update ipmit on this host");
  if (have < want && !may_migrate) complain("run ipmitctl migrate");
  if (have < want) run_steps(connection);
}

}  // namespace

std::unique_ptr<SqliteConnection> open_sqlite_file(const Path& path, bool may_migrate) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) throw PermanentError(path.string() + ": " + system_reason());
    if (!may_migrate)
      throw PermanentError(path.string() + ": no such database: run ipmitctl migrate");
    create_database(path);
  } else if (!S_ISREG(status.st_mode)) {
    throw PermanentError(path.string() + ": not a file");
  } else if (status.st_size == 0) {
    throw PermanentError(path.string() +
                         ": damaged (the file is empty): restore a backup, or remove it and run "
                         "ipmitctl migrate to begin without rules");
  }
  auto connection = std::make_unique<SqliteConnection>(path);
  check_identity(*connection);
  check_version(*connection, may_migrate);
  return connection;
}

SqliteFile::SqliteFile(Path path, bool may_migrate)
    : path_(std::move(path)), connection_(open_sqlite_file(path_, may_migrate)) {
  struct stat status {};
  if (::stat(path_.c_str(), &status) == 0)
    std::tie(device_, inode_) = std::pair(status.st_dev, status.st_ino);
}

bool SqliteFile::follow() {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0)
    throw PermanentError(path_.string() + ": " + system_reason() +
                         ": the database was removed while in use");
  if (status.st_dev == device_ && status.st_ino == inode_) return false;
  connection_ = open_sqlite_file(path_, false);
  std::tie(device_, inode_) = std::pair(status.st_dev, status.st_ino);
  return true;
}

}  // namespace ipmit::schema
