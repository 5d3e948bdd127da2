// SPDX-License-Identifier: Apache-2.0
#pragma once

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

}  // namespace ipmit::schema
