// SPDX-License-Identifier: Apache-2.0
#include "milter/decision_state.h"

#include <string_view>
#include <utility>

#include "common/error.h"
#include "common/host_name.h"
#include "milter/redis_limiter.h"
#include "schema/redis_hits.h"
#include "schema/redis_source.h"

namespace ipmit::milter {
namespace {

schema::RedisOptions redis_options(const conf::Settings& settings) {
  const auto url = schema::parse_redis_url(settings.cache);
  if (!url) throw common::PermanentError("cache: " + settings.cache + ": " + url.problem());
  schema::RedisOptions options;
  options.url = *url;
  options.client_name = "ipmit-milter";
  options.password_file = settings.cache_password_file;
  return options;
}

RuleFeed::Options feed_options(const conf::MilterSettings& settings) {
  RuleFeed::Options options;
  options.snapshot_file = settings.snapshot_file;
  options.start_deadline = settings.start_deadline;
  options.stale_after = settings.max_staleness;
  options.save_every = settings.snapshot_every;
  options.first_retry = settings.first_retry;
  options.most_retry = settings.most_retry;
  return options;
}

RedisLimiter::Options limiter_options(const conf::LimiterSettings& settings,
                                      const schema::RedisOptions& redis) {
  RedisLimiter::Options options;
  options.redis = redis;
  options.deadline = settings.redis_deadline;
  options.breaker_failures = settings.breaker_failures;
  options.probe_every = settings.breaker_pause;
  options.most_local_keys = settings.most_keys;
  return options;
}

}  // namespace

DecisionState::DecisionState(const conf::Settings& settings, common::Metrics& metrics)
    : settings_(settings) {
  if (settings.cache.empty()) {
    if (std::string_view(settings.store).starts_with("postgresql:"))
      throw common::PermanentError(
          "cache: must be set with a postgresql: store; milters read Redis");
    limiter_ = std::make_unique<LocalLimiter>(settings.milter.limiter.most_keys);
    feed_ = std::make_unique<RuleFeed>(
        feed_options(settings.milter),
        [url = settings.store] { return schema::open_store(url, true); }, metrics);
    return;
  }
  const schema::RedisOptions redis = redis_options(settings);
  auto limiter =
      std::make_unique<RedisLimiter>(limiter_options(settings.milter.limiter, redis), metrics);
  feed_ = std::make_unique<RuleFeed>(
      feed_options(settings.milter),
      [redis] { return std::make_unique<schema::RedisSource>(redis); }, metrics);
  announce_ = [this, redis, shared = limiter.get()] {
    Announcer::Options options;
    options.redis = redis;
    options.host = common::host_name();
    options.version = IPMIT_VERSION;
    return std::make_unique<Announcer>(
        options, *feed_, [shared](std::uint32_t count) { shared->set_live_milters(count); });
  };
  limiter_ = std::move(limiter);
}

DecisionState::~DecisionState() = default;

void DecisionState::start() {
  feed_->start();
  if (announce_) announcer_ = announce_();
}

HitRecorder::Sink DecisionState::hit_sink() {
  if (settings_.cache.empty()) {
    return [url = settings_.store,
            store = std::shared_ptr<schema::Store>()](const auto& hits) mutable {
      if (!store) store = schema::open_store(url, true);
      store->add_hits(hits, {});
    };
  }
  const auto hits_in_redis = std::make_shared<schema::RedisHits>(redis_options(settings_));
  return [hits_in_redis](const auto& hits) { hits_in_redis->add(hits); };
}

}  // namespace ipmit::milter
