// SPDX-License-Identifier: Apache-2.0
// The reading half of PostgresStore.
#include <algorithm>
#include <charconv>
#include <utility>

#include "common/log.h"
#include "schema/audit_change.h"
#include "schema/postgres_columns.h"
#include "schema/postgres_store.h"
#include "schema/sql_row.h"

namespace ipmit::schema {
namespace {

using policy::Exemption;
using policy::Mitigation;
using Kind = PostgresTransaction::Kind;
using Row = PostgresRows::Row;

constexpr const char* kChannel = "ipmit";
constexpr Duration kLookAtStop{100};  // how long a stop may go unseen while waiting
constexpr std::size_t kMostLogged = 10'000;

struct Head {
  std::uint64_t revision = 0;
  std::string epoch;
};

Head read_head(PostgresTransaction& transaction) {
  const auto rows = transaction.query("SELECT revision, ipmit.current_epoch() FROM ipmit.state");
  return {static_cast<std::uint64_t>(rows[0].number(0)), std::string(rows[0].text(1))};
}

common::Result<Exemption> read_exemption(const Row& row) {
  return to_exemption(row.text(0), row.text(1), row.integer(2), row.number(3));
}

TimePoint to_time(std::int64_t ms) {
  return TimePoint(Duration(ms));
}

// Whether a notification speaks of something that a holder of `revision` does not know.
bool is_news(const std::string& payload, std::uint64_t revision) {
  std::uint64_t said = 0;
  const auto end = std::from_chars(payload.data(), payload.data() + payload.size(), said);
  return end.ec != std::errc() || said > revision;
}

}  // namespace

std::uint64_t PostgresStore::revision() {
  PostgresTransaction transaction(connection_, Kind::kRead);
  return read_head(transaction).revision;
}

std::string PostgresStore::epoch() {
  PostgresTransaction transaction(connection_, Kind::kRead);
  return read_head(transaction).epoch;
}

MitigationSource::Loaded PostgresStore::load() {
  PostgresTransaction transaction(connection_, Kind::kRead, PostgresConnection::kPatience);
  Loaded loaded;
  Head head = read_head(transaction);
  loaded.set.revision = head.revision;
  loaded.epoch = head.epoch;
  load_mitigations(transaction, loaded);
  load_exemptions(transaction, loaded);
  transaction.commit();
  known_ = {head.revision, std::move(head.epoch)};
  loaded_ = true;
  changed_ = false;
  return loaded;
}

// By a cursor: a million rows at once would be in memory twice.
void PostgresStore::load_mitigations(PostgresTransaction& transaction, Loaded& loaded) {
  transaction.execute("DECLARE rules NO SCROLL CURSOR FOR " + postgres_columns::kLoad);
  for (;;) {
    const auto rows = transaction.query("FETCH 10000 FROM rules");
    if (rows.empty()) return;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto mitigation = to_mitigation(read_row(rows[i]));
      if (mitigation) {
        loaded.set.mitigations.push_back(std::move(mitigation).value());
      } else {
        skip(rows[i].text(0), mitigation.problem());
        ++loaded.skipped;
      }
    }
  }
}

void PostgresStore::load_exemptions(PostgresTransaction& transaction, Loaded& loaded) {
  const auto rows = transaction.query(postgres_columns::kSelectExemptions);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto exemption = read_exemption(rows[i]);
    if (exemption) {
      loaded.set.exemptions.push_back(std::move(exemption).value());
    } else {
      skip(rows[i].text(0), exemption.problem());
      ++loaded.skipped;
    }
  }
}

void PostgresStore::skip(std::string_view subject, const std::string& reason) {
  if (logged_.size() >= kMostLogged || !logged_.emplace(subject).second) return;
  common::log_event(common::LogLevel::kError, "record_skipped",
                    {{"key", subject}, {"reason", reason}});
}

bool PostgresStore::wait_for_change(Duration deadline, const std::stop_token& stop) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  for (;;) {
    if (!listening_) connection_.listen(kChannel);
    listening_ = true;
    connection_.connect();
    if (!loaded_) return true;
    if (compared_session_ != connection_.sessions()) {
      // What happened before this session listened, nobody will tell.
      PostgresTransaction transaction(connection_, Kind::kRead);
      const Head head = read_head(transaction);
      changed_ = changed_ || head.revision != known_.revision || head.epoch != known_.epoch;
      compared_session_ = connection_.sessions();
    }
    if (changed_) return true;
    const auto left = std::chrono::ceil<Duration>(until - std::chrono::steady_clock::now());
    const auto payload =
        connection_.wait_for_notification(std::clamp(left, Duration::zero(), kLookAtStop));
    if (payload && is_news(*payload, known_.revision)) changed_ = true;
    if (changed_) return true;
    if (left <= left.zero() || stop.stop_requested()) return false;
  }
}

std::optional<std::vector<Change>> PostgresStore::changes_since(std::uint64_t revision,
                                                                std::size_t most) {
  PostgresTransaction transaction(connection_, Kind::kRead);
  Head head = read_head(transaction);
  if (revision > head.revision || (loaded_ && head.epoch != known_.epoch)) return std::nullopt;
  std::vector<Change> changes;
  if (revision < head.revision) {
    // Transactions that rolled back leave gaps, so only the oldest row tells how far it goes back.
    const auto oldest = transaction.query("SELECT min(revision) FROM ipmit.audit");
    if (!oldest[0].integer(0) || static_cast<std::uint64_t>(oldest[0].number(0)) > revision + 1)
      return std::nullopt;
    const auto rows = transaction.query(
        "SELECT revision, kind, subject, after FROM ipmit.audit WHERE revision > $1::bigint "
        "ORDER BY revision LIMIT $2",
        revision, most);
    for (std::size_t i = 0; i < rows.size(); ++i)
      changes.push_back(to_change(static_cast<std::uint64_t>(rows[i].number(0)), rows[i].text(1),
                                  rows[i].text(2), rows[i].text(3)));
  }
  known_ = {changes.empty() ? revision : changes.back().revision, std::move(head.epoch)};
  loaded_ = true;
  changed_ = known_.revision != head.revision;
  return changes;
}

std::optional<PostgresStore::Found> PostgresStore::find_row(PostgresTransaction& transaction,
                                                            std::string_view name) {
  const auto rows = transaction.query(postgres_columns::kSelect + "WHERE name = $1", name);
  if (rows.empty()) return std::nullopt;
  return to_mitigation(read_row(rows[0]));
}

std::optional<Mitigation> PostgresStore::find(std::string_view name) {
  PostgresTransaction transaction(connection_, Kind::kRead);
  auto found = find_row(transaction, name);
  if (!found) return std::nullopt;
  if (*found) return std::move(*found).value();
  skip(name, found->problem());
  return std::nullopt;
}

std::vector<Mitigation> PostgresStore::list(const Filter& filter) {
  std::string sql = postgres_columns::kSelect + "WHERE name > $1";
  std::vector<PostgresParameter> values{filter.after};
  const auto add = [&](std::string_view condition, std::string_view rest, std::string value) {
    values.push_back(std::move(value));
    sql.append(" AND ").append(condition).append("$").append(std::to_string(values.size()));
    sql.append(rest);
  };
  if (!filter.name_prefix.empty()) {
    add("name >= ", "", filter.name_prefix);
    add("name < ", "", filter.name_prefix + '~');  // behind all characters of names
  }
  if (filter.action) add("action = ", "", std::string(policy::to_string(*filter.action)));
  if (filter.origin) add("origin = ", "", std::string(policy::to_string(*filter.origin)));
  if (filter.target) {
    std::string lines;
    for (const std::string& text : covering_targets(*filter.target)) lines += text + '\n';
    add("name IN (SELECT mitigation FROM ipmit.targets WHERE target = ANY (string_to_array(",
        ", E'\n')))", std::move(lines));
  }
  sql += " ORDER BY name LIMIT " + std::to_string(filter.most);
  PostgresTransaction transaction(connection_, Kind::kRead);
  const auto rows = transaction.run(sql, values);
  std::vector<Mitigation> mitigations;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto mitigation = to_mitigation(read_row(rows[i]));
    if (mitigation)
      mitigations.push_back(std::move(mitigation).value());
    else
      skip(rows[i].text(0), mitigation.problem());
  }
  return mitigations;
}

std::optional<Exemption> PostgresStore::find_exemption(PostgresTransaction& transaction,
                                                       const std::string& target, bool& there) {
  const auto rows = transaction.query(
      std::string(postgres_columns::kSelectExemptions) + "WHERE target = $1", target);
  there = !rows.empty();
  if (!there) return std::nullopt;
  auto exemption = read_exemption(rows[0]);
  if (exemption) return std::move(exemption).value();
  skip(target, exemption.problem());
  return std::nullopt;
}

std::vector<Exemption> PostgresStore::exemptions() {
  PostgresTransaction transaction(connection_, Kind::kRead);
  Loaded loaded;
  load_exemptions(transaction, loaded);
  auto all = std::move(loaded.set.exemptions);
  std::sort(all.begin(), all.end(),
            [](const Exemption& a, const Exemption& b) { return a.target < b.target; });
  return all;
}

std::vector<AuditRow> PostgresStore::audit(std::string_view subject, std::size_t most) {
  PostgresTransaction transaction(connection_, Kind::kRead);
  const auto rows = transaction.query(
      "SELECT revision, (extract(epoch FROM at) * 1000)::bigint, who, why, operation, subject, "
      "before, after FROM ipmit.audit WHERE $1 = '' OR subject = $1 ORDER BY id DESC LIMIT $2",
      subject, most);
  std::vector<AuditRow> audit;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row row = rows[i];
    audit.push_back({static_cast<std::uint64_t>(row.number(0)), to_time(row.number(1)),
                     std::string(row.text(2)), std::string(row.text(3)), std::string(row.text(4)),
                     std::string(row.text(5)), std::string(row.text(6)), std::string(row.text(7))});
  }
  return audit;
}

std::vector<Store::Hit> PostgresStore::hits(const std::vector<std::string>& names) {
  std::string lines;
  for (const std::string& name : names) lines += name + '\n';
  PostgresTransaction transaction(connection_, Kind::kRead);
  const auto rows = transaction.query(
      "SELECT mitigation, count, (extract(epoch FROM last) * 1000)::bigint FROM ipmit.hits "
      "WHERE mitigation = ANY (string_to_array($1, E'\n'))",
      lines);
  std::vector<Hit> hits;
  for (std::size_t i = 0; i < rows.size(); ++i)
    hits.push_back({std::string(rows[i].text(0)), static_cast<std::uint64_t>(rows[i].number(1)),
                    to_time(rows[i].number(2))});
  return hits;
}

}  // namespace ipmit::schema
