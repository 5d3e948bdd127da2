// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "schema/sqlite_connection.h"

namespace ipmit::schema {

// Opens the ipmit database at `path`. Where `may_migrate`, a missing file is created, complete and
// in one step (so that nobody ever sees half a schema), mode 0640 and owned like its directory, and
// an older schema is brought up to date. An empty file is damage, not a new database: nothing may
// turn a lost rule set into "no rules".
//
// PermanentError: directory missing or unwritable, no ipmit database, a newer schema than this
// program knows, and without may_migrate a missing file or an older schema. Otherwise as
// SqliteConnection.
std::unique_ptr<SqliteConnection> open_sqlite_file(const std::filesystem::path& path,
                                                   bool may_migrate);

// The ipmit database at a path, opened anew when somebody puts another file there (a backup
// restored): a file that was removed or replaced lives on for whoever has it open, and what is
// written to it is lost. One thread at a time.
class SqliteFile {
 public:
  SqliteFile(std::filesystem::path path, bool may_migrate);  // see open_sqlite_file()

  // true: another file is there now, and connection() is another one. PermanentError: there is none
  // any more, and what open_sqlite_file() throws.
  bool follow();
  SqliteConnection& connection() const { return *connection_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::unique_ptr<SqliteConnection> connection_;
  std::uint64_t device_ = 0, inode_ = 0;  // of the open file
};

}  // namespace ipmit::schema
