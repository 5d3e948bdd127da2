// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_milters.h"

#include <algorithm>

#include "schema/redis_keys.h"
#include "schema/redis_scripts.h"

namespace ipmit::schema {
namespace {

std::uint64_t to_unsigned(RedisValue value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(value.integer(), 0));
}

}  // namespace

std::uint32_t announce_milter(RedisConnection& connection, const MilterSign& sign,
                              Duration lifetime) {
  const std::string key = redis_key::join(redis_key::kMilterPrefix, sign.id);
  const std::string lifetime_ms = std::to_string(lifetime.count());
  const std::string revision = std::to_string(sign.revision);
  const std::string rules = std::to_string(sign.rules);
  const std::string_view keys[] = {key, redis_key::kMilters};
  const std::string_view arguments[] = {
      sign.id,    lifetime_ms, "host",   sign.host, "version", sign.version, "state",
      sign.state, "revision",  revision, "rules",   rules,     "since",      sign.since};
  const RedisReply alive = connection.run(kAnnounceScript, keys, arguments);
  return static_cast<std::uint32_t>(std::max<std::int64_t>(alive.value().integer(), 1));
}

void withdraw_milter(RedisConnection& connection, const std::string& id) {
  const std::string key = redis_key::join(redis_key::kMilterPrefix, id);
  const std::vector<std::vector<std::string_view>> commands = {{"DEL", key},
                                                               {"ZREM", redis_key::kMilters, id}};
  connection.pipeline(commands);
}

std::vector<MilterSign> live_milters(RedisConnection& connection) {
  const RedisReply ids = connection.command({"ZRANGE", redis_key::kMilters, "0", "-1"});
  std::vector<std::string> keys;
  std::vector<std::vector<std::string_view>> commands;
  for (std::size_t i = 0; i < ids.value().size(); ++i)
    keys.push_back(redis_key::join(redis_key::kMilterPrefix, ids[i].text()));
  for (const std::string& key : keys) commands.push_back({"HGETALL", key});
  const auto replies = connection.pipeline(commands);

  std::vector<MilterSign> signs;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const RedisValue hash = replies[i].value();
    if (hash.size() == 0) continue;  // its lifetime is over
    MilterSign sign;
    sign.id = ids[i].text();
    for (std::size_t k = 0; k + 1 < hash.size(); k += 2) {
      const std::string_view field = hash[k].text();
      const RedisValue value = hash[k + 1];
      if (field == "host") sign.host = value.text();
      if (field == "version") sign.version = value.text();
      if (field == "state") sign.state = value.text();
      if (field == "since") sign.since = value.text();
      if (field == "revision") sign.revision = to_unsigned(value);
      if (field == "rules") sign.rules = to_unsigned(value);
    }
    signs.push_back(std::move(sign));
  }
  return signs;
}

}  // namespace ipmit::schema
