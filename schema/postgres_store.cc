// SPDX-License-Identifier: Apache-2.0
#include "schema/postgres_store.h"

#include <algorithm>
#include <utility>

#include "schema/json_rows.h"
#include "schema/postgres_columns.h"
#include "schema/postgres_migrate.h"
#include "schema/sql_row.h"

namespace ipmit::schema {
namespace {

using policy::Exemption;
using policy::Mitigation;
using policy::Target;
using Kind = PostgresTransaction::Kind;

// All but load() is short, and a leader must not hang with a server that does.
constexpr Duration kPatience{15'000};

// Takes the lock of all changes and says who makes this one.
void begin_change(PostgresTransaction& transaction, const ChangeNote& note, TimePoint now,
                  std::string_view operation) {
  transaction.query("SELECT ipmit.begin_change($1, $2, $3::timestamptz, $4)", note.who, note.why,
                    now, operation);
}

std::string target_lines(const std::vector<Target>& targets) {
  std::string lines;
  for (const Target& target : targets) {
    if (!lines.empty()) lines += '\n';
    lines += target.to_string();
  }
  return lines;
}

bool is_held_off(PostgresTransaction& transaction, const std::vector<Target>& targets,
                 TimePoint now) {
  std::string lines;
  for (const Target& target : targets)
    for (const std::string& text : covering_targets(target)) lines += text + '\n';
  const auto held = transaction.query(
      "SELECT EXISTS (SELECT 1 FROM ipmit.hold_offs WHERE until > $2::timestamptz AND target = ANY "
      "(string_to_array($1, E'\n')))",
      lines, now);
  return held[0].text(0) == "t";
}

// The revision it got; 0: the server found nothing to change.
std::uint64_t write_row(PostgresTransaction& transaction, const Mitigation& mitigation,
                        const char* statement) {
  const auto& rate = mitigation.rate_limit;
  using Number = std::optional<std::int64_t>;
  using Word = std::optional<std::string_view>;
  const auto rows = transaction.query(
      statement, mitigation.name, policy::to_string(mitigation.origin),
      target_lines(mitigation.targets), to_lines(mitigation.scope.sender_domains),
      to_lines(mitigation.scope.sasl_users), to_lines(mitigation.scope.recipient_domains),
      policy::to_string(mitigation.action), policy::to_string(mitigation.mode),
      rate ? Number(rate->limit) : Number(), rate ? Number(rate->period.count()) : Number(),
      rate ? Number(rate->burst) : Number(), rate ? Word(policy::to_string(rate->unit)) : Word(),
      rate ? Word(policy::to_string(rate->per)) : Word(), mitigation.reply_code,
      mitigation.reply_enhanced, mitigation.reply_text, mitigation.reroute_transport,
      mitigation.priority, mitigation.starts, mitigation.ends, mitigation.reason,
      mitigation.evidence);
  return rows.empty() ? 0 : static_cast<std::uint64_t>(rows[0].number(0));
}

}  // namespace

PostgresStore::PostgresStore(const std::string& url, bool may_migrate) : connection_(url) {
  check_postgres_schema(connection_, may_migrate);
  connection_.set_patience(kPatience);
}

PutResult PostgresStore::put(Mitigation& mitigation, PutMode mode, const ChangeNote& note,
                             TimePoint now) {
  policy::canonicalise(mitigation);
  PostgresTransaction transaction(connection_, Kind::kWrite);
  begin_change(transaction, note, now, "");
  const auto found = find_row(transaction, mitigation.name);
  if (!found && mode == PutMode::kReplaceOnly) return PutResult::kNotFound;
  if (found && found->ok()) {
    const std::uint64_t given = std::exchange(mitigation.revision, (*found)->revision);
    if (**found == mitigation) return PutResult::kUnchanged;
    mitigation.revision = given;
  }
  if (found && mode == PutMode::kAddOnly) return PutResult::kExists;
  if (mitigation.origin != policy::Origin::kManual &&
      is_held_off(transaction, mitigation.targets, now))
    return PutResult::kHeldOff;
  const std::uint64_t revision = write_row(
      transaction, mitigation, found ? postgres_columns::kUpdate : postgres_columns::kInsert);
  transaction.commit();
  if (revision == 0) return PutResult::kUnchanged;
  mitigation.revision = revision;
  return found ? PutResult::kReplaced : PutResult::kAdded;
}

bool PostgresStore::release(std::string_view name, Duration hold_off, const ChangeNote& note,
                            TimePoint now) {
  PostgresTransaction transaction(connection_, Kind::kWrite);
  begin_change(transaction, note, now, "release");
  if (hold_off > Duration::zero())
    transaction.query(
        "INSERT INTO ipmit.hold_offs AS h (target, until) SELECT unnest(targets), $2::timestamptz "
        "FROM ipmit.mitigations WHERE name = $1 ON CONFLICT (target) DO UPDATE SET until = "
        "greatest(h.until, excluded.until)",
        name, now + hold_off);
  const auto deleted = transaction.query("DELETE FROM ipmit.mitigations WHERE name = $1", name);
  transaction.commit();
  return deleted.affected() > 0;
}

std::size_t PostgresStore::expire(TimePoint now, std::size_t most) {
  {
    // Asked every few seconds, mostly in vain: do not make writers wait for that.
    PostgresTransaction look(connection_, Kind::kRead);
    const auto ended = look.query(
        "SELECT EXISTS (SELECT 1 FROM ipmit.mitigations WHERE ends <= $1::timestamptz) OR "
        "EXISTS (SELECT 1 FROM ipmit.exemptions WHERE ends <= $1::timestamptz) OR "
        "EXISTS (SELECT 1 FROM ipmit.hold_offs WHERE until <= $1::timestamptz)",
        now);
    if (ended[0].text(0) != "t") return 0;
  }
  PostgresTransaction transaction(connection_, Kind::kWrite);
  begin_change(transaction, {"ipmit", "ended"}, now, "expire");
  const std::size_t mitigations =
      transaction
          .query(
              "DELETE FROM ipmit.mitigations WHERE name IN (SELECT name FROM ipmit.mitigations "
              "WHERE ends <= $1::timestamptz ORDER BY ends LIMIT $2)",
              now, most)
          .affected();
  const std::size_t exemptions =
      transaction
          .query(
              "DELETE FROM ipmit.exemptions WHERE target IN (SELECT target FROM ipmit.exemptions "
              "WHERE ends <= $1::timestamptz LIMIT $2)",
              now, most - mitigations)
          .affected();
  transaction.query("DELETE FROM ipmit.hold_offs WHERE until <= $1::timestamptz", now);
  transaction.commit();
  return mitigations + exemptions;
}

PutResult PostgresStore::put_exemption(Exemption& exemption, const ChangeNote& note,
                                       TimePoint now) {
  PostgresTransaction transaction(connection_, Kind::kWrite);
  begin_change(transaction, note, now, "");
  const std::string target = exemption.target.to_string();
  bool there = false;
  const auto before = find_exemption(transaction, target, there);
  if (before) {
    const std::uint64_t given = std::exchange(exemption.revision, before->revision);
    if (*before == exemption) return PutResult::kUnchanged;
    exemption.revision = given;
  }
  const auto rows = transaction.query(
      there ? "UPDATE ipmit.exemptions SET reason = $2, ends = $3::timestamptz WHERE target = $1 "
              "RETURNING revision"
            : "INSERT INTO ipmit.exemptions (target, reason, ends) VALUES ($1, $2, "
              "$3::timestamptz) RETURNING revision",
      target, exemption.reason, exemption.ends);
  transaction.commit();
  if (rows.empty()) return PutResult::kUnchanged;
  exemption.revision = static_cast<std::uint64_t>(rows[0].number(0));
  return there ? PutResult::kReplaced : PutResult::kAdded;
}

bool PostgresStore::remove_exemption(const Target& target, const ChangeNote& note, TimePoint now) {
  PostgresTransaction transaction(connection_, Kind::kWrite);
  begin_change(transaction, note, now, "unexempt");
  const auto deleted =
      transaction.query("DELETE FROM ipmit.exemptions WHERE target = $1", target.to_string());
  transaction.commit();
  return deleted.affected() > 0;
}

bool PostgresStore::add_hits(const std::vector<Hit>& hits, std::string_view batch) {
  const std::string rows = to_json_rows(hits, [](common::JsonObjectText& json, const Hit& hit) {
    json.always_text("name", hit.name);
    json.number("count", hit.count);
    json.always_text("last", common::to_rfc3339(hit.last));
  });
  PostgresTransaction transaction(connection_, Kind::kWrite);
  const auto added = transaction.query("SELECT ipmit.add_hits($1, $2::timestamptz, $3::json)::int",
                                       batch, common::now(), rows);
  transaction.commit();
  return added[0].number(0) == 1;
}

}  // namespace ipmit::schema
