// SPDX-License-Identifier: Apache-2.0
// The reading half of SqliteStore.
#include <algorithm>
#include <random>
#include <utility>

#include "common/error.h"
#include "common/log.h"
#include "common/stoppable_wait.h"
#include "schema/audit_change.h"
#include "schema/sql_row.h"
#include "schema/sqlite_columns.h"
#include "schema/sqlite_store.h"

namespace ipmit::schema {
namespace {

using common::PermanentError;
using policy::Exemption;
using policy::Mitigation;
using Kind = SqliteTransaction::Kind;

// A look costs a few microseconds: a twentieth of a second is seldom for the processor and soon for
// people.
constexpr Duration kLookEvery{50};
constexpr std::size_t kMostLogged = 10'000;

std::string random_epoch() {
  std::random_device random;
  return "sqlite-" + std::to_string(random()) + '-' + std::to_string(random());
}

// Follows what is above every name with this prefix: '~' sorts behind all characters of names.
std::string end_of_prefix(const std::string& prefix) {
  return prefix + '~';
}

}  // namespace

SqliteStore::SqliteStore(std::filesystem::path path, bool may_migrate)
    : file_(std::move(path), may_migrate),
      connection_(&file_.connection()),
      epoch_(random_epoch()) {}

SqliteConnection& SqliteStore::database() {
  reopen_if_replaced();
  return *connection_;
}

bool SqliteStore::reopen_if_replaced() {
  if (!file_.follow()) return false;
  connection_ = &file_.connection();
  epoch_ = random_epoch();
  seen_version_ = -1;
  loaded_ = false;
  return true;
}

std::uint64_t SqliteStore::revision() {
  return static_cast<std::uint64_t>(database().value("SELECT revision FROM state"));
}

std::string SqliteStore::epoch() {
  database();  // follows a replaced file
  return epoch_;
}

MitigationSource::Loaded SqliteStore::load() {
  SqliteTransaction transaction(database(), Kind::kRead);
  Loaded loaded;
  loaded.set.revision =
      static_cast<std::uint64_t>(connection_->value("SELECT revision FROM state"));
  load_mitigations(loaded);
  load_exemptions(loaded);
  transaction.commit();
  if (loaded.set.revision < highest_revision_) epoch_ = random_epoch();
  loaded.epoch = epoch_;
  loaded_revision_ = highest_revision_ = loaded.set.revision;
  loaded_ = true;
  return loaded;
}

void SqliteStore::load_mitigations(Loaded& loaded) {
  const auto expected =
      static_cast<std::size_t>(connection_->value("SELECT mitigations FROM state"));
  auto& mitigations = loaded.set.mitigations;
  mitigations.reserve(std::min<std::size_t>(expected, 10'000'000));  // it may be damaged as well
  std::size_t rows = 0;
  auto statement = connection_->prepare(sqlite_columns::kLoad);
  for (; statement.next(); ++rows) {
    auto mitigation = to_mitigation(read_row(statement));
    if (mitigation) {
      mitigations.push_back(std::move(mitigation).value());
    } else {
      skip(statement.text(0), mitigation.problem());
      ++loaded.skipped;
    }
  }
  if (rows != expected)
    throw PermanentError(file_.path().string() + ": damaged (" + std::to_string(rows) + " of " +
                         std::to_string(expected) +
                         " mitigations can be read): stop ipmit and restore a backup");
}

void SqliteStore::load_exemptions(Loaded& loaded) {
  auto rows = connection_->prepare("SELECT target, reason, ends_ms, revision FROM exemptions");
  while (rows.next()) {
    auto exemption = to_exemption(rows.text(0), rows.text(1), rows.integer(2), rows.number(3));
    if (exemption) {
      loaded.set.exemptions.push_back(std::move(exemption).value());
    } else {
      skip(rows.text(0), exemption.problem());
      ++loaded.skipped;
    }
  }
}

void SqliteStore::skip(std::string_view subject, const std::string& reason) {
  if (logged_.size() >= kMostLogged || !logged_.emplace(subject).second) return;
  common::log_event(common::LogLevel::kError, "record_skipped",
                    {{"key", subject}, {"reason", reason}});
}

bool SqliteStore::wait_for_change(Duration deadline, const std::stop_token& stop) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  for (;;) {
    reopen_if_replaced();
    if (!loaded_) return true;
    const std::int64_t version = connection_->value("PRAGMA data_version");
    if (std::exchange(seen_version_, version) != version &&
        connection_->value("SELECT revision FROM state") !=
            static_cast<std::int64_t>(loaded_revision_)) {
      seen_version_ = -1;  // until load() was seen to work
      return true;
    }
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= left.zero() || stop.stop_requested()) return false;
    common::wait_unless_stopped(std::min<std::chrono::nanoseconds>(left, kLookEvery), stop);
  }
}

std::optional<std::vector<Change>> SqliteStore::changes_since(std::uint64_t revision,
                                                              std::size_t most) {
  SqliteTransaction transaction(database(), Kind::kRead);
  const auto newest = static_cast<std::uint64_t>(connection_->value("SELECT revision FROM state"));
  if (revision > newest) return std::nullopt;
  std::vector<Change> changes;
  if (revision == newest) {
    loaded_revision_ = newest;
    loaded_ = true;
    return changes;
  }
  auto rows = connection_->prepare(
      "SELECT revision, kind, subject, after FROM audit WHERE revision > ?1 "
      "ORDER BY revision LIMIT ?2");
  for (rows.with(revision, most); rows.next();) {
    const auto at = static_cast<std::uint64_t>(rows.number(0));
    // Every revision has its row: the first one missing means that older rows were trimmed.
    if (changes.empty() && at != revision + 1) return std::nullopt;
    changes.push_back(to_change(at, rows.text(1), rows.text(2), rows.text(3)));
  }
  if (changes.empty()) return std::nullopt;
  loaded_revision_ = changes.back().revision;
  loaded_ = true;
  return changes;
}

std::optional<SqliteStore::Found> SqliteStore::find_row(std::string_view name) {
  auto row = connection_->prepare(sqlite_columns::kSelect + "WHERE name = ?1");
  if (!row.with(name).next()) return std::nullopt;
  return Found{row.number(sqlite_columns::kId), to_mitigation(read_row(row))};
}

std::optional<Mitigation> SqliteStore::find(std::string_view name) {
  database();
  auto found = find_row(name);
  if (!found) return std::nullopt;
  if (found->mitigation) return std::move(found->mitigation).value();
  skip(name, found->mitigation.problem());
  return std::nullopt;
}

std::vector<Mitigation> SqliteStore::list(const Filter& filter) {
  std::string sql = sqlite_columns::kSelect + "WHERE name > ?1";
  std::vector<std::string> values{filter.after};
  const auto add = [&](std::string_view condition, std::string value) {
    sql.append(" AND ").append(condition);
    values.push_back(std::move(value));
  };
  if (!filter.name_prefix.empty()) {
    add("name >= ?", filter.name_prefix);
    add("name < ?", end_of_prefix(filter.name_prefix));
  }
  if (filter.action) add("action = ?", std::string(policy::to_string(*filter.action)));
  if (filter.origin) add("origin = ?", std::string(policy::to_string(*filter.origin)));
  if (filter.target) {
    sql += " AND id IN (SELECT mitigation FROM targets WHERE target IN (";
    for (std::string& text : covering_targets(*filter.target)) {
      values.push_back(std::move(text));
      sql += "?,";
    }
    sql.back() = ')';
    sql += ')';
  }
  sql += " ORDER BY name LIMIT " + std::to_string(filter.most);
  auto rows = database().prepare(sql);
  rows.with_texts(values);
  return read_mitigations(rows);
}

std::vector<Mitigation> SqliteStore::read_mitigations(SqliteStatement& rows) {
  std::vector<Mitigation> mitigations;
  while (rows.next()) {
    auto mitigation = to_mitigation(read_row(rows));
    if (mitigation)
      mitigations.push_back(std::move(mitigation).value());
    else
      skip(rows.text(0), mitigation.problem());
  }
  return mitigations;
}

std::optional<Exemption> SqliteStore::find_exemption(const std::string& target) {
  auto row = connection_->prepare(
      "SELECT target, reason, ends_ms, revision FROM exemptions WHERE target = ?1");
  if (!row.with(target).next()) return std::nullopt;
  auto exemption = to_exemption(row.text(0), row.text(1), row.integer(2), row.number(3));
  if (exemption) return std::move(exemption).value();
  skip(target, exemption.problem());
  return std::nullopt;
}

std::vector<Exemption> SqliteStore::exemptions() {
  database();
  Loaded loaded;
  load_exemptions(loaded);
  std::vector<Exemption> all = std::move(loaded.set.exemptions);
  std::sort(all.begin(), all.end(),
            [](const Exemption& a, const Exemption& b) { return a.target < b.target; });
  return all;
}

std::vector<AuditRow> SqliteStore::audit(std::string_view subject, std::size_t most) {
  const std::string where = subject.empty() ? "" : "WHERE subject = ?2 ";
  auto rows = database().prepare(
      "SELECT revision, at_ms, who, why, operation, subject, before, after FROM audit " + where +
      "ORDER BY id DESC LIMIT ?1");
  if (subject.empty()) {
    rows.with(most);
  } else {
    rows.with(most, subject);
  }
  std::vector<AuditRow> audit;
  while (rows.next())
    audit.push_back(
        {static_cast<std::uint64_t>(rows.number(0)), TimePoint(Duration(rows.number(1))),
         std::string(rows.text(2)), std::string(rows.text(3)), std::string(rows.text(4)),
         std::string(rows.text(5)), std::string(rows.text(6)), std::string(rows.text(7))});
  return audit;
}

std::vector<Store::Hit> SqliteStore::hits(const std::vector<std::string>& names) {
  auto row = database().prepare(
      "SELECT count, last_ms FROM hits JOIN mitigations ON id = mitigation WHERE name = ?1");
  std::vector<Hit> hits;
  for (const std::string& name : names)
    if (row.with(name).next())
      hits.push_back(
          {name, static_cast<std::uint64_t>(row.number(0)), TimePoint(Duration(row.number(1)))});
  return hits;
}

}  // namespace ipmit::schema
