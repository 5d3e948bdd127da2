// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_types.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/log.h"
#include "schema/redis_keys.h"

namespace ipmit::schema {
namespace {

struct KeyType {
  std::string_view key;  // ends with ':': whatever begins so
  std::string_view type;
};
constexpr KeyType kTypes[] = {
    {redis_key::kMitigationPrefix, "hash"}, {redis_key::kExemptionPrefix, "hash"},
    {redis_key::kTargetPrefix, "set"},      {redis_key::kMilterPrefix, "hash"},
    {redis_key::kControllerPrefix, "hash"}, {redis_key::kLimitPrefix, "string"},
    {redis_key::kMitigations, "zset"},      {redis_key::kExemptions, "zset"},
    {redis_key::kMilters, "zset"},          {redis_key::kControllers, "zset"},
    {redis_key::kEpoch, "string"},          {redis_key::kRevision, "string"},
    {redis_key::kChanges, "stream"},        {redis_key::kHits, "hash"},
    {redis_key::kHitTimes, "hash"},         {redis_key::kTakenHits, "hash"},
    {redis_key::kTakenHitTimes, "hash"},    {redis_key::kTakenBatch, "string"},
    {redis_key::kRecord, "string"},
};

// Empty: not a key of this page.
std::string_view type_of(std::string_view key) {
  for (const KeyType& each : kTypes)
    if (each.key.ends_with(':') ? key.starts_with(each.key) : key == each.key) return each.type;
  return "";
}

}  // namespace

std::size_t remove_wrong_types(RedisConnection& connection) {
  std::size_t removed = 0;
  std::string cursor = "0";
  do {
    const RedisReply scanned =
        connection.command({"SCAN", cursor, "MATCH", "ipmit:*", "COUNT", "2000"});
    std::vector<std::vector<std::string_view>> ask;
    for (std::size_t i = 0; i < scanned[1].size(); ++i)
      ask.push_back({"TYPE", scanned[1][i].text()});
    const auto types = connection.pipeline(ask);
    for (std::size_t i = 0; i < types.size(); ++i) {
      const std::string_view key = ask[i][1], type = types[i].value().text();
      const std::string_view wanted = type_of(key);
      if (wanted.empty() || type == wanted || type == "none") continue;
      connection.command({"DEL", key});
      common::log_event(common::LogLevel::kWarn, "cache_key_removed",
                        {{"key", key}, {"type", type}, {"expected", wanted}});
      ++removed;
    }
    cursor = scanned[0].text();
  } while (cursor != "0");
  return removed;
}

}  // namespace ipmit::schema
