// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_hits.h"

#include <algorithm>
#include <map>

#include "schema/random_id.h"
#include "schema/redis_keys.h"
#include "schema/redis_scripts.h"

namespace ipmit::schema {
namespace {

constexpr std::string_view kLifetimeMs = "604800000";
// Names in one script call: Lua's unpack is not used, but a script should not hold Redis up.
constexpr std::size_t kMostNames = 1'000;

std::map<std::string, Store::Hit> to_hits(RedisValue counts, RedisValue lasts) {
  std::map<std::string, Store::Hit> hits;
  for (std::size_t i = 0; i + 1 < counts.size(); i += 2) {
    const std::string name(counts[i].text());
    hits[name] = {name, static_cast<std::uint64_t>(counts[i + 1].integer()), TimePoint{}};
  }
  for (std::size_t i = 0; i + 1 < lasts.size(); i += 2) {
    const auto found = hits.find(std::string(lasts[i].text()));
    if (found != hits.end()) found->second.last = TimePoint(Duration(lasts[i + 1].integer()));
  }
  return hits;
}

}  // namespace

void RedisHits::add(const std::vector<Store::Hit>& hits) {
  for (std::size_t start = 0; start < hits.size(); start += kMostNames) {
    const std::size_t end = std::min(start + kMostNames, hits.size());
    std::vector<std::string> numbers;  // owns what `words` looks at
    numbers.reserve(2 * (end - start));
    std::vector<std::string_view> words{kLifetimeMs};
    for (std::size_t i = start; i < end; ++i) {
      words.emplace_back(hits[i].name);
      words.emplace_back(numbers.emplace_back(std::to_string(hits[i].count)));
      words.emplace_back(
          numbers.emplace_back(std::to_string(hits[i].last.time_since_epoch().count())));
    }
    const std::string_view keys[] = {redis_key::kHits, redis_key::kHitTimes};
    connection_.run(kHitsAddScript, keys, words);
  }
}

RedisHits::Batch RedisHits::take() {
  const std::string_view keys[] = {redis_key::kHits, redis_key::kHitTimes, redis_key::kTakenHits,
                                   redis_key::kTakenHitTimes, redis_key::kTakenBatch};
  const std::string name = random_id();
  const std::string_view arguments[] = {name, kLifetimeMs};
  const RedisReply reply = connection_.run(kHitsTakeScript, keys, arguments);
  Batch batch{std::string(reply[0].text()), {}};
  for (auto& [rule, hit] : to_hits(reply[1], reply[2])) batch.hits.push_back(std::move(hit));
  return batch;
}

void RedisHits::forget(const std::string& batch) {
  const std::string_view keys[] = {redis_key::kTakenHits, redis_key::kTakenHitTimes,
                                   redis_key::kTakenBatch};
  const std::string_view arguments[] = {batch};
  connection_.run(kHitsForgetScript, keys, arguments);
}

}  // namespace ipmit::schema
