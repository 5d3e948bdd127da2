// SPDX-License-Identifier: Apache-2.0
#include "schema/sqlite_store.h"

#include <algorithm>
#include <utility>

#include "common/error.h"
#include "schema/mitigation_json.h"
#include "schema/sql_row.h"
#include "schema/sqlite_columns.h"

namespace ipmit::schema {
namespace {

using policy::Exemption;
using policy::Mitigation;
using policy::Target;
using Kind = SqliteTransaction::Kind;

// Who ends what ends by itself.
const ChangeNote kEnded{"ipmit", "ended"};

template <typename Number>
std::optional<std::int64_t> when(bool there, Number number) {
  if (!there) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

}  // namespace

PutResult SqliteStore::put(Mitigation& mitigation, PutMode mode, const ChangeNote& note,
                           TimePoint now) {
  policy::canonicalise(mitigation);
  SqliteTransaction transaction(database(), Kind::kWrite);
  const auto found = find_row(mitigation.name);
  if (!found && mode == PutMode::kReplaceOnly) return PutResult::kNotFound;
  if (found && found->mitigation.ok()) {
    const std::uint64_t given = std::exchange(mitigation.revision, found->mitigation->revision);
    if (*found->mitigation == mitigation) return PutResult::kUnchanged;
    mitigation.revision = given;
  }
  if (found && mode == PutMode::kAddOnly) return PutResult::kExists;
  if (mitigation.origin != policy::Origin::kManual && is_held_off(mitigation.targets, now))
    return PutResult::kHeldOff;
  mitigation.revision = take_revision();
  write_row(mitigation);
  const std::string before = found && found->mitigation ? to_json(*found->mitigation) : "";
  record({note, now, found ? "update" : "add", "mitigation", mitigation.name}, before,
         to_json(mitigation));
  transaction.commit();
  return found ? PutResult::kReplaced : PutResult::kAdded;
}

bool SqliteStore::is_held_off(const std::vector<Target>& targets, TimePoint now) {
  if (connection_->value("SELECT EXISTS (SELECT 1 FROM hold_offs)") == 0) return false;
  auto held = connection_->prepare("SELECT 1 FROM hold_offs WHERE target = ?1 AND until_ms > ?2");
  return std::any_of(targets.begin(), targets.end(), [&](const Target& target) {
    const auto texts = covering_targets(target);
    return std::any_of(texts.begin(), texts.end(),
                       [&](const std::string& text) { return held.with(text, now).next(); });
  });
}

void SqliteStore::write_row(const Mitigation& mitigation) {
  const auto& rate = mitigation.rate_limit;
  std::int64_t id = 0;
  {
    auto row = connection_->prepare(sqlite_columns::kPut);
    row.with(mitigation.name, policy::to_string(mitigation.origin),
             to_lines(mitigation.scope.sender_domains), to_lines(mitigation.scope.sasl_users),
             to_lines(mitigation.scope.recipient_domains), policy::to_string(mitigation.action),
             policy::to_string(mitigation.mode), when(rate.has_value(), rate ? rate->limit : 0),
             when(rate.has_value(), rate ? rate->period.count() : 0),
             when(rate.has_value(), rate ? rate->burst : 0),
             rate ? std::optional(policy::to_string(rate->unit)) : std::nullopt,
             rate ? std::optional(policy::to_string(rate->per)) : std::nullopt,
             mitigation.reply_code, mitigation.reply_enhanced, mitigation.reply_text,
             mitigation.reroute_transport, mitigation.priority, mitigation.starts, mitigation.ends,
             mitigation.reason, mitigation.evidence, mitigation.revision);
    while (row.next()) id = row.number(0);
  }
  connection_->prepare("DELETE FROM targets WHERE mitigation = ?1").with(id).run();
  auto insert = connection_->prepare("INSERT INTO targets VALUES (?1, ?2)");
  for (const Target& target : mitigation.targets) insert.with(id, target.to_string()).run();
}

std::uint64_t SqliteStore::take_revision() {
  seen_version_ = -1;  // data_version is blind for changes of this connection
  connection_->prepare("UPDATE state SET revision = revision + 1").run();
  return static_cast<std::uint64_t>(connection_->value("SELECT revision FROM state"));
}

// Writes the audit row of the revision taken last.
void SqliteStore::record(const Entry& entry, std::string_view before, std::string_view after) {
  const std::int64_t revision = connection_->value("SELECT revision FROM state");
  connection_
      ->prepare(
          "INSERT INTO audit (revision, at_ms, who, why, operation, kind, subject, before, after) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
      .with(revision, entry.now, entry.note.who, entry.note.why, entry.operation, entry.kind,
            entry.subject, before, after)
      .run();
}

void SqliteStore::remove(const Found& found, const Entry& entry) {
  connection_->prepare("DELETE FROM mitigations WHERE id = ?1").with(found.id).run();
  take_revision();
  record(entry, found.mitigation ? to_json(*found.mitigation) : "", "");
}

bool SqliteStore::release(std::string_view name, Duration hold_off, const ChangeNote& note,
                          TimePoint now) {
  SqliteTransaction transaction(database(), Kind::kWrite);
  const auto found = find_row(name);
  if (!found) return false;
  if (hold_off > Duration::zero())
    connection_
        ->prepare(
            "INSERT INTO hold_offs SELECT target, ?2 FROM targets WHERE mitigation = ?1 "
            "ON CONFLICT (target) DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)")
        .with(found->id, now + hold_off)
        .run();
  remove(*found, {note, now, "release", "mitigation", name});
  transaction.commit();
  return true;
}

std::size_t SqliteStore::expire(TimePoint now, std::size_t most) {
  {
    // Asked every few seconds, mostly in vain: do not make writers wait for that.
    auto ended = database().prepare(
        "SELECT EXISTS (SELECT 1 FROM mitigations WHERE ends_ms <= ?1) OR "
        "EXISTS (SELECT 1 FROM exemptions WHERE ends_ms <= ?1) OR "
        "EXISTS (SELECT 1 FROM hold_offs WHERE until_ms <= ?1)");
    if (ended.with(now).next() && ended.number(0) == 0) return 0;
  }
  SqliteTransaction transaction(*connection_, Kind::kWrite);
  std::size_t removed = expire_mitigations(now, most);
  removed += expire_exemptions(now, most - removed);
  connection_->prepare("DELETE FROM hold_offs WHERE until_ms <= ?1").with(now).run();
  transaction.commit();
  return removed;
}

std::size_t SqliteStore::expire_mitigations(TimePoint now, std::size_t most) {
  std::vector<std::string> names;
  {
    auto ended = connection_->prepare(
        "SELECT name FROM mitigations WHERE ends_ms <= ?1 ORDER BY ends_ms LIMIT ?2");
    for (ended.with(now, most); ended.next();) names.emplace_back(ended.text(0));
  }
  for (const std::string& name : names)
    if (const auto found = find_row(name))
      remove(*found, {kEnded, now, "expire", "mitigation", name});
  return names.size();
}

std::size_t SqliteStore::expire_exemptions(TimePoint now, std::size_t most) {
  std::vector<std::string> targets;
  {
    auto ended = connection_->prepare("SELECT target FROM exemptions WHERE ends_ms <= ?1 LIMIT ?2");
    for (ended.with(now, most); ended.next();) targets.emplace_back(ended.text(0));
  }
  for (const std::string& target : targets) {
    const auto before = find_exemption(target);
    connection_->prepare("DELETE FROM exemptions WHERE target = ?1").with(target).run();
    take_revision();
    record({kEnded, now, "expire", "exemption", target}, before ? to_json(*before) : "", "");
  }
  return targets.size();
}

PutResult SqliteStore::put_exemption(Exemption& exemption, const ChangeNote& note, TimePoint now) {
  SqliteTransaction transaction(database(), Kind::kWrite);
  const std::string target = exemption.target.to_string();
  const auto before = find_exemption(target);
  if (before) {
    const std::uint64_t given = std::exchange(exemption.revision, before->revision);
    if (*before == exemption) return PutResult::kUnchanged;
    exemption.revision = given;
  }
  exemption.revision = take_revision();
  connection_->prepare("INSERT OR REPLACE INTO exemptions VALUES (?1, ?2, ?3, ?4)")
      .with(target, exemption.reason, exemption.ends, exemption.revision)
      .run();
  record({note, now, "exempt", "exemption", target}, before ? to_json(*before) : "",
         to_json(exemption));
  transaction.commit();
  return before ? PutResult::kReplaced : PutResult::kAdded;
}

bool SqliteStore::remove_exemption(const Target& target, const ChangeNote& note, TimePoint now) {
  SqliteTransaction transaction(database(), Kind::kWrite);
  const std::string text = target.to_string();
  const auto before = find_exemption(text);
  auto remove = connection_->prepare("DELETE FROM exemptions WHERE target = ?1 RETURNING target");
  bool removed = false;
  for (remove.with(text); remove.next();) removed = true;
  if (!removed) return false;
  take_revision();
  record({note, now, "unexempt", "exemption", text}, before ? to_json(*before) : "", "");
  transaction.commit();
  return true;
}

bool SqliteStore::add_hits(const std::vector<Hit>& hits, std::string_view batch) {
  SqliteTransaction transaction(database(), Kind::kWrite);
  if (!batch.empty()) {
    auto note = connection_->prepare(
        "INSERT INTO statistics_batches VALUES (?1, ?2) ON CONFLICT (batch) DO NOTHING RETURNING "
        "1");
    bool is_new = false;
    const std::string name = "hits " + std::string(batch);
    for (note.with(name, common::now()); note.next();) is_new = true;
    if (!is_new) return false;
  }
  auto add = connection_->prepare(
      "INSERT INTO hits SELECT id, ?2, ?3 FROM mitigations WHERE name = ?1 "
      "ON CONFLICT (mitigation) DO UPDATE SET count = count + excluded.count, "
      "last_ms = max(last_ms, excluded.last_ms)");
  for (const Hit& hit : hits) add.with(hit.name, hit.count, hit.last).run();
  transaction.commit();
  return true;
}

}  // namespace ipmit::schema
