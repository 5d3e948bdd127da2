// SPDX-License-Identifier: Apache-2.0
// Findings and their evidence, and retention, in SQLite.
#include <utility>

#include "schema/finding_row.h"
#include "schema/record_text.h"
#include "schema/sqlite_record.h"

namespace ipmit::schema {
namespace {

using Transaction = SqliteTransaction;

constexpr Duration kBatchesKept = std::chrono::days(7);

constexpr std::string_view kSelect =
    "SELECT id, at_ms, target, rule, events, window_begins_ms, window_ends_ms, summary, mitigation "
    "FROM findings ";

std::optional<std::string_view> name_or_null(std::string_view name) {
  if (name.empty()) return std::nullopt;
  return name;
}

}  // namespace

SqliteRecord::SqliteRecord(std::filesystem::path path, bool may_migrate)
    : file_(std::move(path), may_migrate) {}

SqliteConnection& SqliteRecord::database() {
  file_.follow();
  return file_.connection();
}

void SqliteRecord::put(const std::vector<Found>& found) {
  SqliteConnection& connection = database();
  Transaction transaction(connection, Transaction::Kind::kWrite);
  auto finding = connection.prepare(
      "INSERT INTO findings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO UPDATE "
      "SET at_ms = excluded.at_ms, events = excluded.events, window_begins_ms = "
      "excluded.window_begins_ms, window_ends_ms = excluded.window_ends_ms, summary = "
      "excluded.summary, mitigation = coalesce(excluded.mitigation, mitigation)");
  auto evidence = connection.prepare(
      "INSERT INTO evidence VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (finding, event) DO NOTHING");
  for (const Found& one : found) {
    const Finding& f = one.finding;
    finding
        .with(f.id, f.at, f.target, f.rule, f.events, f.window_begins, f.window_ends,
              readable_text(f.summary, kMostSummary), name_or_null(f.mitigation))
        .run();
    for (const Evidence& e : one.evidence)
      evidence.with(f.id, e.event, e.at, to_string(e.kind), readable_evidence(e.detail)).run();
  }
  transaction.commit();
}

bool SqliteRecord::link(std::string_view id, std::string_view mitigation) {
  SqliteConnection& connection = database();
  Transaction transaction(connection, Transaction::Kind::kWrite);
  auto update =
      connection.prepare("UPDATE findings SET mitigation = ?2 WHERE id = ?1 RETURNING id");
  bool updated = false;
  for (update.with(id, name_or_null(mitigation)); update.next();) updated = true;
  transaction.commit();
  return updated;
}

std::optional<Finding> SqliteRecord::find(std::string_view id) {
  auto row = database().prepare(std::string(kSelect) + "WHERE id = ?1");
  if (!row.with(id).next()) return std::nullopt;
  return to_finding(row);
}

std::vector<Finding> SqliteRecord::list(const Filter& filter) {
  auto rows = database().prepare(
      std::string(kSelect) +
      "WHERE (?1 = '' OR target = ?1) AND (?2 = '' OR mitigation = ?2) AND (?3 IS NULL OR at_ms >= "
      "?3) ORDER BY at_ms DESC, id LIMIT ?4");
  std::vector<Finding> findings;
  for (rows.with(filter.target, filter.mitigation, filter.since, filter.most); rows.next();)
    findings.push_back(to_finding(rows));
  return findings;
}

std::vector<Evidence> SqliteRecord::evidence(std::string_view id, std::size_t most) {
  auto rows = database().prepare(
      "SELECT event, at_ms, kind, detail FROM evidence WHERE finding = ?1 ORDER BY at_ms, event "
      "LIMIT ?2");
  std::vector<Evidence> evidence;
  for (rows.with(id, most); rows.next();) evidence.push_back(to_evidence(rows));
  return evidence;
}

std::vector<Retention::Removed> SqliteRecord::apply_retention(const RetentionSpans& spans,
                                                              TimePoint now, std::size_t most) {
  const auto oldest_day = std::chrono::floor<std::chrono::days>(now - spans.statistics);
  struct Step {
    const char* table;
    const char* keys;
    const char* age;
    std::int64_t oldest;
  };
  const auto ms = [](TimePoint time) { return time.time_since_epoch().count(); };
  const Step steps[] = {
      {"delivery_statistics", "day, target, class", "day", oldest_day.time_since_epoch().count()},
      {"findings", "id", "at_ms", ms(now - spans.findings)},
      {"audit", "id", "at_ms", ms(now - spans.audit)},
      {"dead_recipient_fingerprints", "fingerprint", "last_seen_ms",
       ms(now - spans.dead_recipients)},
      {"statistics_batches", "batch", "at_ms", ms(now - kBatchesKept)},
  };
  SqliteConnection& connection = database();
  std::vector<Removed> removed;
  for (const Step& step : steps) {
    Transaction transaction(connection, Transaction::Kind::kWrite);  // of its own: short ones
    std::string sql = "DELETE FROM ";
    for (const char* piece : {step.table, " WHERE (", step.keys, ") IN (SELECT ", step.keys,
                              " FROM ", step.table, " WHERE ", step.age, " < ?1 LIMIT ?2)"})
      sql += piece;
    connection.prepare(sql).with(step.oldest, most).run();
    removed.push_back(
        {step.table, static_cast<std::uint64_t>(connection.value("SELECT changes()"))});
    transaction.commit();
  }
  return removed;
}

}  // namespace ipmit::schema
