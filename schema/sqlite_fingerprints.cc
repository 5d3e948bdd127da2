// SPDX-License-Identifier: Apache-2.0
// Fingerprints of traps and dead recipients in SQLite.
#include "schema/sqlite_record.h"

namespace ipmit::schema {
namespace {

using Transaction = SqliteTransaction;

}  // namespace

bool SqliteRecord::is_trap(const RecipientFingerprints& recipient) {
  auto row = file_.connection().prepare("SELECT 1 FROM trap_fingerprints WHERE fingerprint = ?1");
  for (const Fingerprint& print : recipient)
    if (row.with(print.hash).next()) return true;
  return false;
}

std::size_t SqliteRecord::add_traps(const std::vector<RecipientFingerprints>& traps,
                                    std::string_view source, TimePoint now) {
  SqliteConnection& connection = database();
  Transaction transaction(connection, Transaction::Kind::kWrite);
  auto insert = connection.prepare("INSERT INTO trap_fingerprints VALUES (?1, ?2, ?3, ?4)");
  std::size_t added = 0;
  for (const RecipientFingerprints& trap : traps) {
    if (is_trap(trap)) continue;
    insert.with(trap.front().hash, trap.front().key_id, source, now).run();
    ++added;
  }
  transaction.commit();
  return added;
}

std::size_t SqliteRecord::remove_traps(std::string_view source) {
  SqliteConnection& connection = database();
  Transaction transaction(connection, Transaction::Kind::kWrite);
  connection.prepare("DELETE FROM trap_fingerprints WHERE source = ?1").with(source).run();
  const auto removed = static_cast<std::size_t>(connection.value("SELECT changes()"));
  transaction.commit();
  return removed;
}

std::vector<bool> SqliteRecord::are_traps(const std::vector<RecipientFingerprints>& recipients) {
  Transaction transaction(database(), Transaction::Kind::kRead);
  std::vector<bool> answers;
  answers.reserve(recipients.size());
  for (const RecipientFingerprints& recipient : recipients) answers.push_back(is_trap(recipient));
  return answers;
}

// Moves what an older key made to the newest one, then counts the bounce if it is younger than the
// last: the same one again counts nothing.
void SqliteRecord::note_bounces(const std::vector<Bounce>& bounces) {
  SqliteConnection& connection = database();
  Transaction transaction(connection, Transaction::Kind::kWrite);
  auto move = connection.prepare(
      "UPDATE OR IGNORE dead_recipient_fingerprints SET fingerprint = ?1, key_id = ?2 WHERE "
      "fingerprint = ?3");
  auto count = connection.prepare(
      "INSERT INTO dead_recipient_fingerprints VALUES (?1, ?2, 1, ?3, ?3) ON CONFLICT "
      "(fingerprint) "
      "DO UPDATE SET bounces = bounces + 1, last_seen_ms = excluded.last_seen_ms WHERE "
      "excluded.last_seen_ms > last_seen_ms");
  for (const Bounce& bounce : bounces) {
    const Fingerprint& newest = bounce.recipient.front();
    for (std::size_t i = 1; i < bounce.recipient.size(); ++i)
      move.with(newest.hash, newest.key_id, bounce.recipient[i].hash).run();
    count.with(newest.hash, newest.key_id, bounce.at).run();
  }
  transaction.commit();
}

void SqliteRecord::forget_dead(const std::vector<RecipientFingerprints>& recipients) {
  SqliteConnection& connection = database();
  Transaction transaction(connection, Transaction::Kind::kWrite);
  auto remove =
      connection.prepare("DELETE FROM dead_recipient_fingerprints WHERE fingerprint = ?1");
  for (const RecipientFingerprints& recipient : recipients)
    for (const Fingerprint& print : recipient) remove.with(print.hash).run();
  transaction.commit();
}

std::vector<std::optional<Fingerprints::Dead>> SqliteRecord::find_dead(
    const std::vector<RecipientFingerprints>& recipients) {
  SqliteConnection& connection = database();
  Transaction transaction(connection, Transaction::Kind::kRead);
  auto row = connection.prepare(
      "SELECT bounces, first_seen_ms, last_seen_ms FROM dead_recipient_fingerprints WHERE "
      "fingerprint = ?1");
  std::vector<std::optional<Dead>> answers;
  for (const RecipientFingerprints& recipient : recipients) {
    std::optional<Dead> answer;
    for (const Fingerprint& print : recipient) {
      if (!row.with(print.hash).next()) continue;
      answer = Dead{static_cast<std::uint64_t>(row.number(0)),
                    common::TimePoint(common::Duration(row.number(1))),
                    common::TimePoint(common::Duration(row.number(2)))};
      break;
    }
    answers.push_back(answer);
  }
  return answers;
}

std::vector<Fingerprints::KeyUse> SqliteRecord::key_use() {
  auto rows = database().prepare(
      "SELECT key_id, sum(trap), sum(dead) FROM (SELECT key_id, 1 AS trap, 0 AS dead FROM "
      "trap_fingerprints UNION ALL SELECT key_id, 0, 1 FROM dead_recipient_fingerprints) GROUP BY "
      "key_id ORDER BY key_id");
  std::vector<KeyUse> use;
  while (rows.next())
    use.push_back({static_cast<std::uint16_t>(rows.number(0)),
                   static_cast<std::uint64_t>(rows.number(1)),
                   static_cast<std::uint64_t>(rows.number(2))});
  return use;
}

}  // namespace ipmit::schema
