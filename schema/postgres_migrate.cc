// SPDX-License-Identifier: Apache-2.0
#include "schema/postgres_migrate.h"

#include <string>

#include "common/error.h"
#include "schema/sql_steps.h"

namespace ipmit::schema {
namespace {

using Kind = PostgresTransaction::Kind;

// "ipmt" twice: any number that nobody else in the database uses.
constexpr const char* kLock = "SELECT pg_advisory_xact_lock(x'69706d7469706d74'::bigint)";

std::int64_t read_version(PostgresTransaction& transaction) {
  // From the catalogue: to_regclass() also says no to whoever may not use the schema, and remembers
  // what it was like before somebody else's step.
  const auto there = transaction.query(
      "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE n.nspname = 'ipmit' AND c.relname = 'schema_version'");
  if (there.empty()) return 0;
  return transaction.query("SELECT coalesce(max(version), 0) FROM ipmit.schema_version")[0].number(
      0);
}

void run_steps(PostgresConnection& connection) {
  PostgresTransaction transaction(connection, Kind::kWrite, {});  // may rewrite a large table
  transaction.execute("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0");
  transaction.query(kLock);
  const std::int64_t have = read_version(transaction);
  for (const SqlStep& step : postgres_steps()) {
    if (step.version <= have) continue;
    transaction.execute(std::string(step.sql));
    transaction.query("INSERT INTO ipmit.schema_version (version, file) VALUES ($1, $2)",
                      step.version, step.file);
  }
  transaction.commit();
}

}  // namespace

void check_postgres_schema(PostgresConnection& connection, bool may_migrate) {
  const auto version = [&] {
    PostgresTransaction transaction(connection, Kind::kRead);
    return read_version(transaction);
  };
  const std::int64_t want = postgres_steps().back().version;
  std::int64_t have = version();
  if (have < want && may_migrate) {
    run_steps(connection);
    have = version();
  }
  if (have == want) return;
  throw common::PermanentError(connection.place() + ": has schema version " + std::to_string(have) +
                               ", this ipmit knows version " + std::to_string(want) + ": " +
                               (have > want ? "update ipmit on this host"
                                            : "run ipmitctl migrate as the owner of the database"));
}

}  // namespace ipmit::schema
