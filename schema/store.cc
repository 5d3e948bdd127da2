// SPDX-License-Identifier: Apache-2.0
#include "schema/store.h"

#include "common/error.h"
#include "schema/postgres_store.h"
#include "schema/sqlite_store.h"

namespace ipmit::schema {

std::unique_ptr<Store> open_store(const std::string& url, bool may_migrate) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (url.starts_with(kSqlite) && url.size() > kSqlite.size())
    return std::make_unique<SqliteStore>(url.substr(kSqlite.size()), may_migrate);
  for (const std::string_view scheme : {"postgresql://", "postgres://"})
    if (url.starts_with(scheme)) return std::make_unique<PostgresStore>(url, may_migrate);
  throw common::PermanentError("store \"" + url + "\": must be sqlite:/PATH or postgresql://…");
}

}  // namespace ipmit::schema
