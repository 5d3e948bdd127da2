// SPDX-License-Identifier: Apache-2.0
// Delivery statistics in SQLite.
#include "schema/sqlite_record.h"
#include "schema/statistics_days.h"

namespace ipmit::schema {
namespace {

using Transaction = SqliteTransaction;

std::int64_t number_of(std::chrono::sys_days day) {
  return day.time_since_epoch().count();
}

const char* filter_of(DeliveryStatistics::TargetKind kind) {
  switch (kind) {
    case DeliveryStatistics::TargetKind::kUser:
      return "target GLOB 'user:*'";
    case DeliveryStatistics::TargetKind::kDomain:
      return "target GLOB 'domain:*'";
    case DeliveryStatistics::TargetKind::kAddress:
      break;
  }
  return "target NOT GLOB 'user:*' AND target NOT GLOB 'domain:*'";
}

}  // namespace

DeliveryStatistics::Added SqliteRecord::add(std::string_view batch,
                                            const std::vector<DeliveryCount>& counts,
                                            TimePoint now) {
  SqliteConnection& connection = database();
  Transaction transaction(connection, Transaction::Kind::kWrite);
  auto note = connection.prepare(
      "INSERT INTO statistics_batches VALUES (?1, ?2) ON CONFLICT (batch) DO NOTHING RETURNING 1");
  bool is_new = false;
  for (note.with(batch, now); note.next();) is_new = true;
  Added added;
  added.repeated = !is_new;
  auto insert = connection.prepare(
      "INSERT INTO delivery_statistics VALUES (?1, ?2, ?3, ?4) ON CONFLICT (day, target, class) DO "
      "UPDATE SET events = events + excluded.events");
  for (const DeliveryCount& count : counts) {
    if (!is_countable(count.day, now)) {
      ++added.ignored;
    } else if (is_new) {
      insert.with(number_of(count.day), count.target, count.outcome, count.events).run();
    }
  }
  transaction.commit();
  return added;
}

std::vector<DeliveryCount> SqliteRecord::counts_of(std::string_view target, Span span) {
  auto rows = database().prepare(
      "SELECT day, class, events FROM delivery_statistics WHERE target = ?1 AND day BETWEEN ?2 AND "
      "?3 ORDER BY day, class");
  std::vector<DeliveryCount> counts;
  for (rows.with(target, number_of(span.first), number_of(span.last)); rows.next();)
    counts.push_back({std::chrono::sys_days(std::chrono::days(rows.number(0))), std::string(target),
                      std::string(rows.text(1)), static_cast<std::uint64_t>(rows.number(2))});
  return counts;
}

std::vector<DeliveryStatistics::Ranked> SqliteRecord::top(DeliveryStatistics::TargetKind kind,
                                                          const std::vector<std::string>& outcomes,
                                                          Span span, std::size_t most) {
  std::string places;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    places += (i == 0 ? "?" : ", ?") + std::to_string(i + 1);
  const std::string wanted = outcomes.empty() ? "" : " AND class IN (" + places + ")";
  auto rows =
      database().prepare("SELECT target, sum(events) FROM delivery_statistics WHERE day BETWEEN " +
                         std::to_string(number_of(span.first)) + " AND " +
                         std::to_string(number_of(span.last)) + wanted + " AND " + filter_of(kind) +
                         " GROUP BY target ORDER BY 2 DESC, target LIMIT " + std::to_string(most));
  std::vector<Ranked> ranked;
  for (rows.with_texts(outcomes); rows.next();)
    ranked.push_back({std::string(rows.text(0)), static_cast<std::uint64_t>(rows.number(1))});
  return ranked;
}

}  // namespace ipmit::schema
