// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_source.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/error.h"
#include "common/log.h"
#include "schema/redis_keys.h"
#include "schema/redis_record.h"

namespace ipmit::schema {
namespace {

using common::TransientError;
using policy::Exemption;
using policy::Mitigation;

constexpr std::size_t kPage = 2'000;  // records read in one round trip
constexpr std::string_view kChangesAtOnce = "1000";
constexpr std::size_t kMostChanged = 20'000;  // then they are loaded before more are read
constexpr std::size_t kMostLogged = 10'000;   // records named in the log
constexpr Duration kLook{500};                // how often epoch and revision are compared
constexpr int kMostTries = 3;

std::uint64_t to_unsigned(RedisValue value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(value.integer(), 0));
}

FieldViews to_views(RedisValue hash) {
  FieldViews fields;
  fields.reserve(hash.size() / 2);
  for (std::size_t i = 0; i + 1 < hash.size(); i += 2)
    fields.emplace_back(hash[i].text(), hash[i + 1].text());
  return fields;
}

}  // namespace

RedisSource::RedisSource(RedisOptions options) : connection_(std::move(options)) {}

std::optional<RedisSource::Head> RedisSource::read_head() {
  const std::vector<std::vector<std::string_view>> ask = {
      {"MGET", redis_key::kEpoch, redis_key::kRevision},
      {"XREVRANGE", redis_key::kChanges, "+", "-", "COUNT", "1"},
      {"ZCARD", redis_key::kMitigations}};
  const auto replies = connection_.pipeline(ask);
  const RedisValue strings = replies[0].value();
  if (strings[0].is_nil() || strings[1].is_nil()) return std::nullopt;
  Head head{std::string(strings[0].text()), to_unsigned(strings[1]), "0-0",
            static_cast<std::size_t>(to_unsigned(replies[2].value()))};
  const RedisValue last = replies[1].value();
  if (last.size() == 1) head.last_change = last[0][0].text();
  return head;
}

template <typename Record>
std::vector<Record> RedisSource::Table<Record>::give() {
  if (to_give.size() != records.size()) return records;
  return std::exchange(to_give, {});
}

template <typename Record>
void RedisSource::Table<Record>::put(std::string_view name, Record record) {
  if (!is_indexed) {
    to_give.push_back(record);
  } else {
    const auto [place, is_new] = places.try_emplace(std::string(name), records.size());
    if (!is_new) {
      records[place->second] = std::move(record);
      return;
    }
  }
  records.push_back(std::move(record));
  names.emplace_back(name);
}

template <typename Record>
void RedisSource::Table<Record>::erase(std::string_view name) {
  make_index();
  const auto found = places.find(std::string(name));
  if (found == places.end()) return;
  const std::size_t place = found->second;
  places.erase(found);
  if (place + 1 != records.size()) {  // the last one fills the gap
    records[place] = std::move(records.back());
    names[place] = std::move(names.back());
    places[names[place]] = place;
  }
  records.pop_back();
  names.pop_back();
}

template <typename Record>
void RedisSource::Table<Record>::clear(std::size_t expected) {
  records.clear();
  names.clear();
  places.clear();
  is_indexed = false;
  to_give.clear();
  to_give.reserve(expected);
  records.reserve(expected);
  names.reserve(expected);
}

template <typename Record>
void RedisSource::Table<Record>::make_index() {
  if (is_indexed) return;
  is_indexed = true;
  to_give = {};
  places.reserve(records.size());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto [place, is_new] = places.try_emplace(names[i], kept);
    if (is_new) ++kept;
    if (place->second == i) continue;
    records[place->second] = std::move(records[i]);
    names[place->second] = std::move(names[i]);
  }
  records.erase(records.begin() + static_cast<std::ptrdiff_t>(kept), records.end());
  names.resize(kept);
}

MitigationSource::Loaded RedisSource::load() {
  if (!complete_ || !catch_up()) load_all();
  loaded_revision_ = revision_;
  Loaded loaded;
  loaded.set = {mitigations_.give(), exemptions_.give(), revision_};
  loaded.skipped = skipped_.size();
  loaded.epoch = epoch_;
  return loaded;
}

// Records are read while others change. What changed meanwhile is in the stream after the head that
// was read first, so it is read again until nothing is left; then all is as of one revision.
void RedisSource::load_all() {
  for (int tries = 0; tries < kMostTries; ++tries) {
    complete_ = false;
    const auto head = read_head();
    if (!head) throw TransientError("redis holds no rules (no ipmit:epoch); is the controller up?");
    mitigations_.clear(head->mitigations);
    exemptions_.clear(0);
    changed_mitigations_.clear();
    changed_exemptions_.clear();
    skipped_.clear();
    epoch_ = head->epoch;
    revision_ = head->revision;
    last_change_ = head->last_change;
    const std::size_t members = load_index(redis_key::kMitigations, redis_key::kMitigationPrefix);
    load_index(redis_key::kExemptions, redis_key::kExemptionPrefix);
    exemptions_.make_index();                                     // few
    if (members != head->mitigations) mitigations_.make_index();  // one may have come twice
    complete_ = true;
    if (catch_up()) return;
  }
  throw TransientError("redis: the rules changed faster than they could be read");
}

bool RedisSource::catch_up() {
  load_changed();
  for (;;) {
    while (complete_ && read_changes(Duration(0))) load_changed();
    complete_ = complete_ && is_in_step();
    // Comparing may have found a change that came between the two questions.
    if (!complete_ || (changed_mitigations_.empty() && changed_exemptions_.empty())) break;
    load_changed();
  }
  return complete_;
}

// The next names of an index, by rising revision, and where the page after them begins: with the
// members of the same revision, of which those that were had are left out. Whatever changes
// meanwhile, no member is missed: it moves behind the page, and the stream names it too.
struct RedisSource::Page {
  std::optional<RedisReply> reply;  // what `names` looks into
  std::vector<std::string_view> names;
  std::string from = "-inf";
  std::set<std::string, std::less<>> had;  // of revision `from`
  bool is_last = false;

  std::size_t limit() const { return kPage + had.size(); }
};

// How many members the index has. The server is always one page ahead of what is taken here: while
// we read the records of one page, it works on those of the next.
std::size_t RedisSource::load_index(std::string_view index, std::string_view prefix) try {
  std::size_t members = 0;
  const auto receive_page = [this](const Page& before) {
    std::optional<RedisReply> reply;
    connection_.receive_sent(1, [&](std::size_t, RedisReply got) { reply = std::move(got); });
    return page_after(before, *std::move(reply));
  };
  const Page start;
  send_for_page(index, prefix, start);
  Page page = receive_page(start);
  send_for_page(index, prefix, page);
  for (;;) {
    std::optional<Page> next;
    if (!page.is_last) {
      next = receive_page(page);
      send_for_page(index, prefix, *next);
    }
    connection_.receive_sent(page.names.size(), [&](std::size_t i, const RedisReply& reply) {
      take_record(prefix, page.names[i], reply.value());
    });
    members += page.names.size();
    if (!next) return members;
    page = *std::move(next);
  }
} catch (const std::runtime_error&) {
  connection_.close();  // with replies that nobody will read
  throw;
}

RedisSource::Page RedisSource::page_after(const Page& before, RedisReply reply) {
  Page page;
  const RedisValue members = reply.value();  // name, revision, name, revision, …
  const std::size_t size = members.size() / 2;
  page.is_last = size < before.limit();
  if (size > 0) page.from = members[2 * size - 1].text();
  if (page.from == before.from) page.had = before.had;
  for (std::size_t i = 0; i < size; ++i) {
    const std::string_view name = members[2 * i].text();
    if (before.had.contains(name)) continue;
    page.names.push_back(name);
    if (members[2 * i + 1].text() == page.from) page.had.emplace(name);
  }
  page.reply = std::move(reply);
  return page;
}

// Asks for the page after this one, where there is one, and for the records of this one.
void RedisSource::send_for_page(std::string_view index, std::string_view prefix, const Page& page) {
  const std::string limit = std::to_string(page.limit());
  std::vector<std::string> keys(page.names.size());
  std::vector<std::vector<std::string_view>> commands;
  commands.reserve(keys.size() + 1);
  if (!page.is_last)
    commands.push_back(
        {"ZRANGEBYSCORE", index, page.from, "+inf", "WITHSCORES", "LIMIT", "0", limit});
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = redis_key::join(prefix, page.names[i]);
    commands.push_back({"HGETALL", keys[i]});
  }
  connection_.send_ahead(commands);
}

template <typename Name>
void RedisSource::load_records(std::string_view prefix, const std::vector<Name>& names) {
  for (std::size_t first = 0; first < names.size(); first += kPage) {
    const std::size_t size = std::min(kPage, names.size() - first);
    std::vector<std::string> keys(size);
    std::vector<std::vector<std::string_view>> commands(size);
    for (std::size_t i = 0; i < size; ++i) {
      keys[i] = redis_key::join(prefix, names[first + i]);
      commands[i] = {"HGETALL", keys[i]};
    }
    connection_.pipeline(commands, [&](std::size_t i, const RedisReply& reply) {
      take_record(prefix, names[first + i], reply.value());
    });
  }
}

void RedisSource::take_record(std::string_view prefix, std::string_view name, RedisValue hash) {
  const bool is_mitigation = prefix == redis_key::kMitigationPrefix;
  const auto drop = [&] { is_mitigation ? mitigations_.erase(name) : exemptions_.erase(name); };
  if (!skipped_.empty()) skipped_.erase(redis_key::join(prefix, name));
  if (hash.size() == 0) return drop();  // removed, or ended long ago
  const FieldViews fields = to_views(hash);
  std::string problem;
  if (is_mitigation) {
    auto rule = mitigation_from_fields(name, fields);
    if (rule) return mitigations_.put(name, std::move(rule).value());
    problem = rule.problem();
  } else {
    auto exemption = exemption_from_fields(name, fields);
    if (exemption) return exemptions_.put(name, std::move(exemption).value());
    problem = exemption.problem();
  }
  drop();
  skip(redis_key::join(prefix, name), problem);
}

void RedisSource::skip(const std::string& key, const std::string& reason) {
  skipped_.insert(key);
  if (logged_.size() >= kMostLogged || !logged_.insert(key).second) return;
  common::log_event(common::LogLevel::kError, "record_skipped", {{"key", key}, {"reason", reason}});
}

// Whether there is something to load: changes were noted, or (complete_ is false now) a step is
// missing.
bool RedisSource::read_changes(Duration block) {
  const std::string block_ms = std::to_string(block.count());
  bool any = false;
  for (;;) {
    std::vector<std::string_view> words{"XREAD", "COUNT", kChangesAtOnce};
    if (!any && block.count() > 0) words.insert(words.end(), {"BLOCK", block_ms});
    words.insert(words.end(), {"STREAMS", redis_key::kChanges, last_change_});
    const RedisReply reply =
        connection_.command(words, block + connection_.options().command_deadline);
    if (reply.value().size() == 0) return any;
    const RedisValue entries = reply[0][1];
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!note_change(entries[i])) {
        complete_ = false;
        return true;
      }
    }
    any = true;
    if (changed_mitigations_.size() + changed_exemptions_.size() >= kMostChanged) return true;
  }
}

// false: it does not follow on what is known.
bool RedisSource::note_change(RedisValue entry) {
  std::string_view op, what, after, revision;
  for (const auto& [name, text] : to_views(entry[1])) {
    if (name == "op") op = text;
    if (name == "what") what = text;
    if (name == "after") after = text;
    if (name == "revision") revision = text;
  }
  if (after != std::to_string(revision_)) return false;
  if (op == "put" || op == "remove") {
    changed_mitigations_.emplace(what);
  } else if (op == "exempt" || op == "unexempt") {
    changed_exemptions_.emplace(what);
  } else if (op != "advance") {
    return false;
  }
  std::from_chars(revision.data(), revision.data() + revision.size(), revision_);
  last_change_ = entry[0].text();
  return true;
}

void RedisSource::load_changed() {
  if (!complete_ || changed_mitigations_.size() + changed_exemptions_.size() == 0) return;
  mitigations_.make_index();
  const auto load = [this](std::string_view prefix, Names& changed) {
    const std::vector<std::string> names(changed.begin(), changed.end());
    load_records(prefix, names);
    changed.clear();
  };
  load(redis_key::kMitigationPrefix, changed_mitigations_);
  load(redis_key::kExemptionPrefix, changed_exemptions_);
}

bool RedisSource::is_in_step() {
  const RedisReply reply = connection_.command({"MGET", redis_key::kEpoch, redis_key::kRevision});
  if (reply[0].text() != epoch_) return false;
  const std::uint64_t now_at = to_unsigned(reply[1]);
  if (now_at == revision_) return true;
  // Ahead is a change between two questions, if the stream has it.
  return now_at > revision_ && read_changes(Duration(0)) && complete_;
}

bool RedisSource::wait_for_change(Duration deadline, const std::stop_token& stop) {
  mitigations_.make_index();  // nobody waits for it now
  const auto until = std::chrono::steady_clock::now() + deadline;
  while (complete_ && !stop.stop_requested()) {
    const auto left = std::chrono::floor<Duration>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    if (read_changes(std::min(left, kLook))) return true;
    complete_ = is_in_step();
    if (revision_ != loaded_revision_) return true;
  }
  return !complete_;
}

}  // namespace ipmit::schema
