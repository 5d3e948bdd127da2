// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_signs.h"

#include <algorithm>
#include <utility>

#include "schema/redis_keys.h"
#include "schema/redis_scripts.h"

namespace ipmit::schema {
namespace {

// Where the signs of one kind of program are.
struct Registry {
  std::string_view ids, prefix;
};
constexpr Registry kMilters{redis_key::kMilters, redis_key::kMilterPrefix};
constexpr Registry kControllers{redis_key::kControllers, redis_key::kControllerPrefix};

using Fields = std::vector<std::pair<std::string_view, std::string>>;

std::uint64_t to_unsigned(RedisValue value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(value.integer(), 0));
}

std::uint32_t announce(RedisConnection& connection, const Registry& registry, const std::string& id,
                       const Fields& fields, Duration lifetime) {
  const std::string key = redis_key::join(registry.prefix, id);
  const std::string lifetime_ms = std::to_string(lifetime.count());
  const std::string_view keys[] = {key, registry.ids};
  std::vector<std::string_view> arguments = {id, lifetime_ms};
  for (const auto& [name, text] : fields) {
    if (text.empty()) continue;
    arguments.push_back(name);
    arguments.push_back(text);
  }
  const RedisReply alive = connection.run(kAnnounceScript, keys, arguments);
  return static_cast<std::uint32_t>(std::max<std::int64_t>(alive.value().integer(), 1));
}

void withdraw(RedisConnection& connection, const Registry& registry, const std::string& id) {
  const std::string key = redis_key::join(registry.prefix, id);
  const std::vector<std::vector<std::string_view>> commands = {{"DEL", key},
                                                               {"ZREM", registry.ids, id}};
  connection.pipeline(commands);
}

// Calls `take(sign, field, value)` for every field of every live sign.
template <typename Sign, typename Take>
std::vector<Sign> live(RedisConnection& connection, const Registry& registry, Take take) {
  const RedisReply ids = connection.command({"ZRANGE", registry.ids, "0", "-1"});
  std::vector<std::string> keys;
  std::vector<std::vector<std::string_view>> commands;
  for (std::size_t i = 0; i < ids.value().size(); ++i)
    keys.push_back(redis_key::join(registry.prefix, ids[i].text()));
  commands.reserve(keys.size());
  for (const std::string& key : keys) commands.push_back({"HGETALL", key});
  const auto replies = connection.pipeline(commands);

  std::vector<Sign> signs;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const RedisValue hash = replies[i].value();
    if (hash.size() == 0) continue;  // its lifetime is over
    Sign sign;
    sign.id = ids[i].text();
    for (std::size_t k = 0; k + 1 < hash.size(); k += 2) take(sign, hash[k].text(), hash[k + 1]);
    signs.push_back(std::move(sign));
  }
  std::sort(signs.begin(), signs.end(), [](auto& a, auto& b) { return a.id < b.id; });
  return signs;
}

// The fields that both kinds have.
template <typename Sign>
void take_common(Sign& sign, std::string_view field, RedisValue value) {
  if (field == "host") sign.host = value.text();
  if (field == "version") sign.version = value.text();
  if (field == "state") sign.state = value.text();
  if (field == "revision") sign.revision = to_unsigned(value);
  if (field == "since") sign.since = value.text();
  if (field == "last_error") sign.last_error = value.text();
}

}  // namespace

std::uint32_t announce_milter(RedisConnection& connection, const MilterSign& sign,
                              Duration lifetime) {
  return announce(connection, kMilters, sign.id,
                  {{"host", sign.host},
                   {"version", sign.version},
                   {"state", sign.state},
                   {"epoch", sign.epoch},
                   {"revision", std::to_string(sign.revision)},
                   {"rules", std::to_string(sign.rules)},
                   {"skipped", sign.skipped == 0 ? "" : std::to_string(sign.skipped)},
                   {"confirmed", sign.confirmed},
                   {"since", sign.since},
                   {"last_error", sign.last_error}},
                  lifetime);
}

void withdraw_milter(RedisConnection& connection, const std::string& id) {
  withdraw(connection, kMilters, id);
}

std::vector<MilterSign> live_milters(RedisConnection& connection) {
  return live<MilterSign>(connection, kMilters,
                          [](MilterSign& sign, std::string_view field, RedisValue value) {
                            take_common(sign, field, value);
                            if (field == "epoch") sign.epoch = value.text();
                            if (field == "rules") sign.rules = to_unsigned(value);
                            if (field == "skipped") sign.skipped = to_unsigned(value);
                            if (field == "confirmed") sign.confirmed = value.text();
                          });
}

std::uint32_t announce_controller(RedisConnection& connection, const ControllerSign& sign,
                                  Duration lifetime) {
  return announce(connection, kControllers, sign.id,
                  {{"host", sign.host},
                   {"version", sign.version},
                   {"state", sign.state},
                   {"revision", std::to_string(sign.revision)},
                   {"since", sign.since},
                   {"last_error", sign.last_error}},
                  lifetime);
}

void withdraw_controller(RedisConnection& connection, const std::string& id) {
  withdraw(connection, kControllers, id);
}

std::vector<ControllerSign> live_controllers(RedisConnection& connection) {
  return live<ControllerSign>(connection, kControllers, take_common<ControllerSign>);
}

CacheHead cache_head(RedisConnection& connection) {
  const RedisReply head =
      connection.command({"MGET", redis_key::kEpoch, redis_key::kRevision, redis_key::kRecord});
  if (head[0].is_nil() || head[1].is_nil()) return {};
  return {std::string(head[0].text()), to_unsigned(head[1]), std::string(head[2].text())};
}

}  // namespace ipmit::schema
