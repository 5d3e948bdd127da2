// SPDX-License-Identifier: Apache-2.0
// Delivery statistics in PostgreSQL.
#include "schema/json_rows.h"
#include "schema/postgres_record.h"
#include "schema/statistics_days.h"

namespace ipmit::schema {
namespace {

std::string to_date(std::chrono::sys_days day) {
  return common::to_rfc3339(day).substr(0, 10);
}

std::string_view filter_of(DeliveryStatistics::TargetKind kind) {
  switch (kind) {
    case DeliveryStatistics::TargetKind::kUser:
      return "target LIKE 'user:%'";
    case DeliveryStatistics::TargetKind::kDomain:
      return "target LIKE 'domain:%'";
    case DeliveryStatistics::TargetKind::kAddress:
      break;
  }
  return "target NOT LIKE 'user:%' AND target NOT LIKE 'domain:%'";
}

}  // namespace

DeliveryStatistics::Added PostgresRecord::add(std::string_view batch,
                                              const std::vector<DeliveryCount>& counts,
                                              TimePoint now) {
  Added added;
  std::vector<const DeliveryCount*> wanted;
  for (const DeliveryCount& count : counts)
    if (is_countable(count.day, now)) wanted.push_back(&count);
  added.ignored = counts.size() - wanted.size();
  const std::string rows =
      to_json_rows(wanted, [](common::JsonObjectText& json, const DeliveryCount* count) {
        json.always_text("day", to_date(count->day));
        json.always_text("target", count->target);
        json.always_text("class", count->outcome);
        json.number("events", count->events);
      });
  PostgresTransaction transaction(connection_, PostgresTransaction::Kind::kWrite);
  const auto done = transaction.query("SELECT ipmit.add_statistics($1, $2::timestamptz, $3::json)",
                                      batch, now, rows);
  added.repeated = done[0].text(0) != "t";
  transaction.commit();
  return added;
}

std::vector<DeliveryCount> PostgresRecord::counts_of(std::string_view target, Span span) {
  PostgresTransaction transaction(connection_, PostgresTransaction::Kind::kRead);
  const auto rows = transaction.query(
      "SELECT day - date '1970-01-01', class, events FROM ipmit.delivery_statistics WHERE target "
      "= $1 AND day BETWEEN $2::date AND $3::date ORDER BY day, class COLLATE \"C\"",
      target, to_date(span.first), to_date(span.last));
  std::vector<DeliveryCount> counts;
  for (std::size_t i = 0; i < rows.size(); ++i)
    counts.push_back({std::chrono::sys_days(std::chrono::days(rows[i].number(0))),
                      std::string(target), std::string(rows[i].text(1)),
                      static_cast<std::uint64_t>(rows[i].number(2))});
  return counts;
}

std::vector<DeliveryStatistics::Ranked> PostgresRecord::top(
    DeliveryStatistics::TargetKind kind, const std::vector<std::string>& outcomes, Span span,
    std::size_t most) {
  std::string lines;
  for (const std::string& outcome : outcomes) lines += (lines.empty() ? "" : "\n") + outcome;
  PostgresTransaction transaction(connection_, PostgresTransaction::Kind::kRead);
  const auto rows = transaction.query(
      "SELECT target, sum(events)::bigint FROM ipmit.delivery_statistics WHERE day BETWEEN "
      "$1::date AND $2::date AND ($3 = '' OR class = ANY (string_to_array($3, E'\n'))) AND " +
          std::string(filter_of(kind)) + " GROUP BY target ORDER BY 2 DESC, target LIMIT $4",
      to_date(span.first), to_date(span.last), lines, most);
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < rows.size(); ++i)
    ranked.push_back({std::string(rows[i].text(0)), static_cast<std::uint64_t>(rows[i].number(1))});
  return ranked;
}

}  // namespace ipmit::schema
