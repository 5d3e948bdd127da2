// SPDX-License-Identifier: Apache-2.0
// Findings and their evidence, and retention, in PostgreSQL.
#include "schema/finding_row.h"
#include "schema/json_rows.h"
#include "schema/postgres_migrate.h"
#include "schema/postgres_record.h"
#include "schema/record_text.h"

namespace ipmit::schema {
namespace {

using Kind = PostgresTransaction::Kind;

const std::string kSelect =
    "SELECT id, (extract(epoch FROM at) * 1000)::bigint, target, rule, events, "
    "(extract(epoch FROM window_begins) * 1000)::bigint, "
    "(extract(epoch FROM window_ends) * 1000)::bigint, summary, mitigation FROM ipmit.findings ";

std::string findings_json(const std::vector<Findings::Found>& found) {
  return to_json_rows(found, [](common::JsonObjectText& json, const Findings::Found& row) {
    const Finding& finding = row.finding;
    json.always_text("id", finding.id);
    json.always_text("at", common::to_rfc3339(finding.at));
    json.always_text("target", finding.target);
    json.always_text("rule", finding.rule);
    json.number("events", finding.events);
    json.always_text("window_begins", common::to_rfc3339(finding.window_begins));
    json.always_text("window_ends", common::to_rfc3339(finding.window_ends));
    json.always_text("summary", readable_text(finding.summary, kMostSummary));
    json.text("mitigation", finding.mitigation);
  });
}

std::string evidence_json(const Findings::Found& found) {
  return to_json_rows(found.evidence, [&](common::JsonObjectText& json, const Evidence& evidence) {
    json.always_text("finding", found.finding.id);
    json.always_text("event", evidence.event);
    json.always_text("at", common::to_rfc3339(evidence.at));
    json.always_text("kind", to_string(evidence.kind));
    json.always_text("detail", readable_evidence(evidence.detail));
  });
}

std::string interval_of(Duration span) {
  return std::to_string(span.count()) + " milliseconds";
}

}  // namespace

PostgresRecord::PostgresRecord(const std::string& url, bool may_migrate) : connection_(url) {
  check_postgres_schema(connection_, may_migrate);
}

void PostgresRecord::put(const std::vector<Found>& found) {
  PostgresTransaction transaction(connection_, Kind::kWrite);
  // DISTINCT: one statement may not touch a row twice; the order keeps two writers from a deadlock.
  transaction.query(
      "INSERT INTO ipmit.findings AS f SELECT DISTINCT ON (id COLLATE \"C\") * FROM "
      "json_to_recordset($1::json) AS r (id text, at timestamptz, target text, rule text, events "
      "bigint, window_begins timestamptz, window_ends timestamptz, summary text, mitigation text) "
      "ORDER BY id COLLATE \"C\" ON CONFLICT (id) DO UPDATE SET at = excluded.at, events = "
      "excluded.events, window_begins = excluded.window_begins, window_ends = "
      "excluded.window_ends, summary = excluded.summary, mitigation = coalesce("
      "excluded.mitigation, f.mitigation)",
      findings_json(found));
  for (const Found& one : found)
    if (!one.evidence.empty())
      transaction.query(
          "INSERT INTO ipmit.evidence SELECT * FROM json_to_recordset($1::json) AS r (finding "
          "text, event text, at timestamptz, kind text, detail text) ON CONFLICT DO NOTHING",
          evidence_json(one));
  transaction.commit();
}

bool PostgresRecord::link(std::string_view id, std::string_view mitigation) {
  PostgresTransaction transaction(connection_, Kind::kWrite);
  const auto updated = transaction.query(
      "UPDATE ipmit.findings SET mitigation = nullif($2, '') WHERE id = $1", id, mitigation);
  transaction.commit();
  return updated.affected() > 0;
}

std::optional<Finding> PostgresRecord::find(std::string_view id) {
  PostgresTransaction transaction(connection_, Kind::kRead);
  const auto rows = transaction.query(kSelect + "WHERE id = $1", id);
  if (rows.empty()) return std::nullopt;
  return to_finding(rows[0]);
}

std::vector<Finding> PostgresRecord::list(const Filter& filter) {
  PostgresTransaction transaction(connection_, Kind::kRead);
  const auto rows = transaction.query(
      kSelect +
          "WHERE ($1 = '' OR target = $1) AND ($2 = '' OR mitigation = $2) AND "
          "($3::timestamptz IS NULL OR at >= $3::timestamptz) ORDER BY at DESC, id LIMIT $4",
      filter.target, filter.mitigation, filter.since, filter.most);
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < rows.size(); ++i) findings.push_back(to_finding(rows[i]));
  return findings;
}

std::vector<Evidence> PostgresRecord::evidence(std::string_view id, std::size_t most) {
  PostgresTransaction transaction(connection_, Kind::kRead);
  const auto rows = transaction.query(
      "SELECT event, (extract(epoch FROM at) * 1000)::bigint, kind, detail FROM ipmit.evidence "
      "WHERE finding = $1 ORDER BY at, event LIMIT $2",
      id, most);
  std::vector<Evidence> evidence;
  for (std::size_t i = 0; i < rows.size(); ++i) evidence.push_back(to_evidence(rows[i]));
  return evidence;
}

std::vector<Retention::Removed> PostgresRecord::apply_retention(const RetentionSpans& spans,
                                                                TimePoint now, std::size_t most) {
  PostgresTransaction transaction(connection_, Kind::kWrite);
  const auto rows = transaction.query(
      "SELECT what, removed FROM ipmit.apply_retention(statistics => $1::interval, findings_kept "
      "=> $2::interval, audit_kept => $3::interval, dead_recipients => $4::interval, most => "
      "$5::bigint, as_of => $6::timestamptz)",
      interval_of(spans.statistics), interval_of(spans.findings), interval_of(spans.audit),
      interval_of(spans.dead_recipients), most, now);
  std::vector<Removed> removed;
  for (std::size_t i = 0; i < rows.size(); ++i)
    removed.push_back(
        {std::string(rows[i].text(0)), static_cast<std::uint64_t>(rows[i].number(1))});
  transaction.commit();
  return removed;
}

}  // namespace ipmit::schema
