// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_publisher.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "common/error.h"
#include "schema/random_id.h"
#include "schema/redis_keys.h"
#include "schema/redis_record.h"
#include "schema/redis_scripts.h"
#include "schema/redis_types.h"

namespace ipmit::schema {
namespace {

using common::TransientError;
using policy::Exemption;
using policy::Mitigation;

constexpr std::size_t kPage = 2'000;
constexpr std::size_t kMostOperations = 500;  // a batch holds up the other clients of Redis
constexpr std::size_t kMostWords = 50'000;
constexpr std::chrono::hours kKeep{24};  // as in publish.lua

std::uint64_t to_unsigned(RedisValue value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(value.integer(), 0));
}

std::string name_of(const Mitigation& rule) {
  return rule.name;
}
std::string name_of(const Exemption& exemption) {
  return exemption.target.to_string();
}
std::string_view prefix_of(const Mitigation*) {
  return redis_key::kMitigationPrefix;
}
std::string_view prefix_of(const Exemption*) {
  return redis_key::kExemptionPrefix;
}

template <typename Record>
std::vector<const Record*> still_kept(const std::vector<Record>& records, TimePoint now) {
  std::vector<const Record*> kept;
  kept.reserve(records.size());
  for (const Record& record : records)
    if (!record.ends || now < *record.ends + kKeep) kept.push_back(&record);
  return kept;
}

bool holds(RedisValue hash, const Fields& fields) {
  if (hash.size() != fields.size() * 2) return false;
  std::vector<std::pair<std::string_view, std::string_view>> got, want;
  for (std::size_t i = 0; i + 1 < hash.size(); i += 2)
    got.emplace_back(hash[i].text(), hash[i + 1].text());
  for (const auto& [name, text] : fields) want.emplace_back(name, text);
  std::sort(got.begin(), got.end());
  std::sort(want.begin(), want.end());
  return got == want;
}

}  // namespace

// The arguments of one run of publish.lua.
class RedisPublisher::Batch {
 public:
  bool is_full() const { return operations_ >= kMostOperations || words_.size() >= kMostWords; }
  bool is_empty() const { return operations_ == 0; }
  const std::vector<std::string>& words() const { return words_; }
  void clear() {
    words_.clear();
    operations_ = 0;
  }

  void put(const Mitigation& rule) {
    begin("put", rule.name, rule.revision);
    add_end(rule.ends);
    words_.push_back(std::to_string(rule.targets.size()));
    for (const auto& target : rule.targets) words_.push_back(target.to_string());
    add_fields(to_fields(rule));
  }
  void put(const Exemption& exemption) {
    begin("exempt", name_of(exemption), exemption.revision);
    add_end(exemption.ends);
    add_fields(to_fields(exemption));
  }
  void remove(const std::string& name, std::uint64_t revision) { begin("remove", name, revision); }
  void unexempt(const std::string& target, std::uint64_t revision) {
    begin("unexempt", target, revision);
  }
  void advance(std::uint64_t revision) { add({"advance", std::to_string(revision)}); }
  void close() { add({"close"}); }
  void epoch(const std::string& epoch, std::uint64_t revision, const std::string& record) {
    add({"epoch", epoch, std::to_string(revision), record});
  }

 private:
  void add(std::initializer_list<std::string> words) {
    words_.insert(words_.end(), words);
    ++operations_;
  }
  void begin(const char* operation, const std::string& name, std::uint64_t revision) {
    add({operation, name, std::to_string(revision)});
  }
  void add_end(const std::optional<TimePoint>& ends) {
    words_.push_back(ends ? std::to_string(ends->time_since_epoch().count()) : "");
  }
  void add_fields(const Fields& fields) {
    words_.push_back(std::to_string(fields.size()));
    for (const auto& [name, text] : fields) {
      words_.emplace_back(name);
      words_.push_back(text);
    }
  }

  std::vector<std::string> words_;
  std::size_t operations_ = 0;
};

// What reconcile() has to do. Pointers into what the caller wants.
struct RedisPublisher::Differences {
  std::vector<const Mitigation*> put;
  std::vector<std::string> remove;
  std::vector<const Exemption*> exempt;
  std::vector<std::string> unexempt;
  std::vector<std::pair<std::string, std::string>> strays;  // target key, name that is not its own
};

RedisPublisher::Status RedisPublisher::status() {
  const std::vector<std::vector<std::string_view>> ask = {
      {"MGET", redis_key::kEpoch, redis_key::kRevision, redis_key::kRecord},
      {"ZCARD", redis_key::kMitigations},
      {"ZCARD", redis_key::kExemptions},
      {"XLEN", redis_key::kChanges}};  // only to notice that it is no stream any more
  const auto replies = connection_.pipeline(ask);
  Status status;
  status.mitigations = to_unsigned(replies[1].value());
  status.exemptions = to_unsigned(replies[2].value());
  if (replies[0][0].is_nil() || replies[0][1].is_nil()) return status;
  status.epoch = replies[0][0].text();
  status.revision = to_unsigned(replies[0][1]);
  status.record = replies[0][2].text();
  return status;
}

// The revision Redis is at afterwards; empty: refused.
std::string RedisPublisher::send(Batch& batch, const std::string& epoch, const std::string& from) {
  std::vector<std::string_view> words{epoch, from};
  words.insert(words.end(), batch.words().begin(), batch.words().end());
  const RedisReply reply = connection_.run(kPublishScript, {}, words);
  batch.clear();
  return reply[0].integer() == 1 ? std::string(reply[2].text()) : "";
}

bool RedisPublisher::publish(const std::string& epoch, std::uint64_t from,
                             std::span<const Change> changes, std::uint64_t to) {
  Batch batch;
  std::string at = std::to_string(from);
  for (const Change& change : changes) {
    if (const auto* rule = std::get_if<Mitigation>(&change.what)) batch.put(*rule);
    if (const auto* removed = std::get_if<Change::Removed>(&change.what))
      batch.remove(removed->name, change.revision);
    if (const auto* exemption = std::get_if<Exemption>(&change.what)) batch.put(*exemption);
    if (const auto* unexempted = std::get_if<Change::Unexempted>(&change.what))
      batch.unexempt(unexempted->target, change.revision);
    if (batch.is_full() && (at = send(batch, epoch, at)).empty()) return false;
  }
  if (changes.empty() || changes.back().revision < to) batch.advance(to);
  return batch.is_empty() || !send(batch, epoch, at).empty();
}

RedisPublisher::Report RedisPublisher::reconcile(const policy::MitigationSet::Source& wanted,
                                                 Depth depth, TimePoint now,
                                                 const std::string& record) {
  std::size_t damaged = 0;
  try {
    return reconcile_once(wanted, depth, now, record);
  } catch (const common::PermanentError&) {
    damaged = remove_wrong_types(connection_);
    if (damaged == 0) throw;
  }
  // What they stood for is missing now, and the sets of targets are compared by content only.
  Report report = reconcile_once(wanted, Depth::kContent, now, record);
  report.damaged = damaged;
  return report;
}

RedisPublisher::Report RedisPublisher::reconcile_once(const policy::MitigationSet::Source& wanted,
                                                      Depth depth, TimePoint now,
                                                      const std::string& record) {
  const Status at = status();
  Report report;
  report.epoch = at.epoch;
  // Another history: a server that failed over or was restored may have lost changes and given
  // their revisions to others.
  const bool other_record = !record.empty() && record != at.record;
  if (other_record) depth = Depth::kContent;
  // Ahead of the store: readers would refuse to go back.
  report.new_epoch = at.epoch.empty() || other_record || at.revision > wanted.revision;
  const Differences differences = compare(wanted, depth, now, report);
  repair(differences, at, wanted.revision, record, report);
  return report;
}

RedisPublisher::Differences RedisPublisher::compare(const policy::MitigationSet::Source& wanted,
                                                    Depth depth, TimePoint now, Report& report) {
  Differences differences;
  const auto rules = still_kept(wanted.mitigations, now);
  const auto exemptions = still_kept(wanted.exemptions, now);
  compare_index(redis_key::kMitigations, rules, differences.put, differences.remove, report);
  compare_index(redis_key::kExemptions, exemptions, differences.exempt, differences.unexempt,
                report);
  if (depth == Depth::kIndex) return differences;
  compare_content(rules, differences.put, report);
  compare_content(exemptions, differences.exempt, report);
  compare_targets(rules, differences, report);
  return differences;
}

template <typename Record>
void RedisPublisher::compare_index(std::string_view index, const std::vector<const Record*>& wanted,
                                   std::vector<const Record*>& put,
                                   std::vector<std::string>& remove, Report& report) {
  std::unordered_map<std::string, const Record*> missing;
  missing.reserve(wanted.size());
  for (const Record* record : wanted) missing[name_of(*record)] = record;
  for (std::size_t first = 0;; first += kPage) {
    const RedisReply reply = connection_.command(
        {"ZRANGE", index, std::to_string(first), std::to_string(first + kPage - 1), "WITHSCORES"});
    const RedisValue members = reply.value();
    for (std::size_t i = 0; i + 1 < members.size(); i += 2) {
      const auto found = missing.find(std::string(members[i].text()));
      if (found == missing.end()) {
        remove.emplace_back(members[i].text());
        ++report.extra;
        continue;
      }
      if (to_unsigned(members[i + 1]) != found->second->revision) {
        put.push_back(found->second);
        ++report.altered;
      }
      missing.erase(found);
    }
    if (members.size() < kPage * 2) break;
  }
  report.missing += missing.size();
  for (const auto& [name, record] : missing) put.push_back(record);
}

template <typename Record>
void RedisPublisher::compare_content(const std::vector<const Record*>& wanted,
                                     std::vector<const Record*>& put, Report& report) {
  const std::set<const Record*> known(put.begin(), put.end());
  for (std::size_t first = 0; first < wanted.size(); first += kPage) {
    const std::size_t size = std::min(kPage, wanted.size() - first);
    std::vector<std::string> keys(size);
    std::vector<std::vector<std::string_view>> commands(size);
    for (std::size_t i = 0; i < size; ++i) {
      const Record* record = wanted[first + i];
      keys[i] = redis_key::join(prefix_of(record), name_of(*record));
      commands[i] = {"HGETALL", keys[i]};
    }
    connection_.pipeline(commands, [&](std::size_t i, const RedisReply& reply) {
      const Record* record = wanted[first + i];
      if (known.contains(record) || holds(reply.value(), to_fields(*record))) return;
      put.push_back(record);
      ++report.altered;
    });
  }
}

void RedisPublisher::compare_targets(const std::vector<const Mitigation*>& wanted,
                                     Differences& differences, Report& report) {
  std::unordered_map<std::string, std::set<std::string>> missing;
  std::unordered_map<std::string, const Mitigation*> by_name;
  for (const Mitigation* rule : wanted) {
    by_name[rule->name] = rule;
    for (const auto& target : rule->targets)
      missing[redis_key::join(redis_key::kTargetPrefix, target.to_string())].insert(rule->name);
  }
  const std::string pattern = redis_key::join(redis_key::kTargetPrefix, "*");
  const std::string page = std::to_string(kPage);
  // What is put or removed anyway was counted there.
  std::set<std::string> counted(differences.remove.begin(), differences.remove.end());
  for (const Mitigation* rule : differences.put) counted.insert(rule->name);
  std::set<std::string, std::less<>> seen;  // SCAN may name a key twice
  std::string cursor = "0";
  do {
    const RedisReply scanned =
        connection_.command({"SCAN", cursor, "MATCH", pattern, "COUNT", page});
    std::vector<std::vector<std::string_view>> commands;
    for (std::size_t i = 0; i < scanned[1].size(); ++i)
      if (seen.emplace(scanned[1][i].text()).second)
        commands.push_back({"SMEMBERS", scanned[1][i].text()});
    const auto replies = connection_.pipeline(commands);
    for (std::size_t i = 0; i < replies.size(); ++i) {
      const std::string key(commands[i][1]);
      auto& names = missing[key];
      for (std::size_t k = 0; k < replies[i].value().size(); ++k) {
        std::string name(replies[i][k].text());
        if (names.erase(name) > 0) continue;
        if (!counted.contains(name)) ++report.extra;
        differences.strays.emplace_back(key, std::move(name));
      }
    }
    cursor = scanned[0].text();
  } while (cursor != "0");
  const std::set<const Mitigation*> known(differences.put.begin(), differences.put.end());
  std::set<const Mitigation*> incomplete;
  for (const auto& [key, names] : missing)
    for (const auto& name : names)
      if (!known.contains(by_name[name])) incomplete.insert(by_name[name]);
  differences.put.insert(differences.put.end(), incomplete.begin(), incomplete.end());
  report.altered += incomplete.size();
}

void RedisPublisher::repair(const Differences& differences, const Status& at,
                            std::uint64_t revision, const std::string& record, Report& report) {
  Batch batch;
  std::string from = report.new_epoch ? "" : std::to_string(at.revision);
  const auto flush = [&] {
    const std::string now_at = send(batch, at.epoch, from);
    if (from.empty()) return;
    if (now_at.empty()) throw TransientError("redis: another publisher changes the rules");
    from = now_at;
  };
  const auto each = [&](const auto& entries, auto add) {
    for (const auto& entry : entries) {
      add(entry);
      if (batch.is_full()) flush();
    }
  };
  if (report.new_epoch) batch.close();
  each(differences.remove, [&](const auto& name) { batch.remove(name, at.revision); });
  each(differences.unexempt, [&](const auto& target) { batch.unexempt(target, at.revision); });
  // By revision: Redis never claims one before all that belongs to it is there.
  std::vector<std::variant<const Mitigation*, const Exemption*>> puts;
  puts.insert(puts.end(), differences.put.begin(), differences.put.end());
  puts.insert(puts.end(), differences.exempt.begin(), differences.exempt.end());
  const auto revision_of = [](const auto* put) { return put->revision; };
  std::sort(puts.begin(), puts.end(), [&](const auto& a, const auto& b) {
    return std::visit(revision_of, a) < std::visit(revision_of, b);
  });
  each(puts, [&](const auto& put) { std::visit([&](const auto* r) { batch.put(*r); }, put); });
  if (report.new_epoch) {
    report.epoch = random_id();
    batch.epoch(report.epoch, revision, record);
  } else if (at.revision < revision) {
    batch.advance(revision);
  }
  if (!batch.is_empty()) flush();
  for (const auto& [key, name] : differences.strays) connection_.command({"SREM", key, name});
}

}  // namespace ipmit::schema
