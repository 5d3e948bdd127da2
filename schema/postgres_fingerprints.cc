// SPDX-License-Identifier: Apache-2.0
// Fingerprints of traps and dead recipients in PostgreSQL.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "schema/json_rows.h"
#include "schema/postgres_record.h"

namespace ipmit::schema {
namespace {

using Kind = PostgresTransaction::Kind;

// Every fingerprint of every recipient, one a line.
std::string all_hashes(const std::vector<RecipientFingerprints>& recipients) {
  std::string lines;
  for (const auto& recipient : recipients)
    for (const Fingerprint& fingerprint : recipient) {
      if (!lines.empty()) lines += '\n';
      lines += fingerprint.hash;
    }
  return lines;
}

// One answer for each recipient: what `known` holds for the first of its fingerprints that is
// there.
template <typename Answer>
std::vector<Answer> answers_for(const std::vector<RecipientFingerprints>& recipients,
                                const std::unordered_map<std::string, Answer>& known) {
  std::vector<Answer> answers;
  for (const auto& recipient : recipients) {
    const auto found =
        std::find_if(recipient.begin(), recipient.end(),
                     [&](const Fingerprint& print) { return known.contains(print.hash); });
    answers.push_back(found == recipient.end() ? Answer() : known.at(found->hash));
  }
  return answers;
}

// What several bounces of one recipient come to, oldest first inside one.
struct Merged {
  const RecipientFingerprints* recipient = nullptr;
  std::vector<TimePoint> times;
};

std::string bounces_json(const std::vector<Fingerprints::Bounce>& bounces) {
  std::map<std::string, Merged> merged;  // in one order, against deadlocks
  for (const auto& bounce : bounces) {
    Merged& one = merged[bounce.recipient.front().hash];
    one.recipient = &bounce.recipient;
    one.times.push_back(bounce.at);
  }
  return to_json_rows(merged, [](common::JsonObjectText& json, auto& entry) {
    auto times = entry.second.times;
    std::sort(times.begin(), times.end());
    times.erase(std::unique(times.begin(), times.end()), times.end());
    std::string older;
    for (const Fingerprint& print : *entry.second.recipient)
      if (print.hash != entry.first) older += print.hash + '\n';
    std::string at;
    for (const TimePoint time : times) at += (at.empty() ? "" : ",") + common::to_rfc3339(time);
    json.always_text("fingerprint", entry.first);
    json.number("key_id", entry.second.recipient->front().key_id);
    json.always_text("older", older);
    json.always_text("times", at);
  });
}

}  // namespace

std::size_t PostgresRecord::add_traps(const std::vector<RecipientFingerprints>& traps,
                                      std::string_view source, TimePoint now) {
  const std::vector<bool> known = are_traps(traps);
  std::vector<const Fingerprint*> fresh;
  for (std::size_t i = 0; i < traps.size(); ++i)
    if (!known[i]) fresh.push_back(&traps[i].front());
  const std::string rows =
      to_json_rows(fresh, [](common::JsonObjectText& json, const Fingerprint* print) {
        json.always_text("fingerprint", print->hash);
        json.number("key_id", print->key_id);
      });
  PostgresTransaction transaction(connection_, Kind::kWrite);
  const auto added = transaction.query(
      "INSERT INTO ipmit.trap_fingerprints (fingerprint, key_id, source, added) SELECT "
      "fingerprint, "
      "key_id, $2, $3::timestamptz FROM json_to_recordset($1::json) AS r (fingerprint text, key_id "
      "integer) ON CONFLICT DO NOTHING",
      rows, source, now);
  transaction.commit();
  return added.affected();
}

std::size_t PostgresRecord::remove_traps(std::string_view source) {
  PostgresTransaction transaction(connection_, Kind::kWrite);
  const auto removed =
      transaction.query("DELETE FROM ipmit.trap_fingerprints WHERE source = $1", source);
  transaction.commit();
  return removed.affected();
}

std::vector<bool> PostgresRecord::are_traps(const std::vector<RecipientFingerprints>& recipients) {
  PostgresTransaction transaction(connection_, Kind::kRead);
  const auto rows = transaction.query(
      "SELECT fingerprint FROM ipmit.trap_fingerprints WHERE fingerprint = ANY "
      "(string_to_array($1, E'\n'))",
      all_hashes(recipients));
  std::unordered_map<std::string, bool> known;
  for (std::size_t i = 0; i < rows.size(); ++i) known[std::string(rows[i].text(0))] = true;
  return answers_for(recipients, known);
}

// Moves what an older key made to the newest one, then counts the bounces that are younger than the
// last: the same ones again count nothing.
void PostgresRecord::note_bounces(const std::vector<Bounce>& bounces) {
  const std::string rows = bounces_json(bounces);
  constexpr const char* kRows =
      "(SELECT * FROM json_to_recordset($1::json) AS r (fingerprint text, key_id integer, older "
      "text, times text)) r ";
  PostgresTransaction transaction(connection_, Kind::kWrite);
  transaction.query(
      std::string("UPDATE ipmit.dead_recipient_fingerprints d SET fingerprint = r.fingerprint, "
                  "key_id = r.key_id FROM ") +
          kRows +
          "WHERE r.older <> '' AND d.fingerprint = ANY (string_to_array(r.older, E'\n')) AND NOT "
          "EXISTS (SELECT 1 FROM ipmit.dead_recipient_fingerprints n WHERE n.fingerprint = "
          "r.fingerprint)",
      rows);
  transaction.query(
      std::string("INSERT INTO ipmit.dead_recipient_fingerprints AS d (fingerprint, key_id, "
                  "bounces, first_seen, last_seen) SELECT r.fingerprint, r.key_id, count(*), "
                  "min(t::timestamptz), max(t::timestamptz) FROM ") +
          kRows +
          "LEFT JOIN ipmit.dead_recipient_fingerprints k ON k.fingerprint = r.fingerprint, "
          "unnest(string_to_array(r.times, ',')) t WHERE k.last_seen IS NULL OR t::timestamptz > "
          "k.last_seen GROUP BY r.fingerprint, r.key_id ORDER BY r.fingerprint COLLATE \"C\" ON "
          "CONFLICT (fingerprint) DO UPDATE SET bounces = d.bounces + excluded.bounces, last_seen "
          "= excluded.last_seen WHERE excluded.last_seen > d.last_seen",
      rows);
  transaction.commit();
}

void PostgresRecord::forget_dead(const std::vector<RecipientFingerprints>& recipients) {
  PostgresTransaction transaction(connection_, Kind::kWrite);
  transaction.query(
      "DELETE FROM ipmit.dead_recipient_fingerprints WHERE fingerprint = ANY (string_to_array($1, "
      "E'\n'))",
      all_hashes(recipients));
  transaction.commit();
}

std::vector<std::optional<Fingerprints::Dead>> PostgresRecord::find_dead(
    const std::vector<RecipientFingerprints>& recipients) {
  PostgresTransaction transaction(connection_, Kind::kRead);
  const auto rows = transaction.query(
      "SELECT fingerprint, bounces, (extract(epoch FROM first_seen) * 1000)::bigint, "
      "(extract(epoch FROM last_seen) * 1000)::bigint FROM ipmit.dead_recipient_fingerprints WHERE "
      "fingerprint = ANY (string_to_array($1, E'\n'))",
      all_hashes(recipients));
  std::unordered_map<std::string, std::optional<Dead>> known;
  for (std::size_t i = 0; i < rows.size(); ++i)
    known[std::string(rows[i].text(0))] =
        Dead{static_cast<std::uint64_t>(rows[i].number(1)), TimePoint(Duration(rows[i].number(2))),
             TimePoint(Duration(rows[i].number(3)))};
  return answers_for(recipients, known);
}

std::vector<Fingerprints::KeyUse> PostgresRecord::key_use() {
  PostgresTransaction transaction(connection_, Kind::kRead);
  const auto rows = transaction.query(
      "SELECT key_id, sum(trap), sum(dead) FROM (SELECT key_id, 1 AS trap, 0 AS dead FROM "
      "ipmit.trap_fingerprints UNION ALL SELECT key_id, 0, 1 FROM "
      "ipmit.dead_recipient_fingerprints) f GROUP BY key_id ORDER BY key_id");
  std::vector<KeyUse> use;
  for (std::size_t i = 0; i < rows.size(); ++i)
    use.push_back({static_cast<std::uint16_t>(rows[i].number(0)),
                   static_cast<std::uint64_t>(rows[i].number(1)),
                   static_cast<std::uint64_t>(rows[i].number(2))});
  return use;
}

}  // namespace ipmit::schema
