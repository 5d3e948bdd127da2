// SPDX-License-Identifier: Apache-2.0
#include "milter/redis_limiter.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "common/error.h"
#include "common/log.h"
#include "policy/rate_limit.h"
#include "schema/redis_keys.h"
#include "schema/redis_scripts.h"

namespace ipmit::milter {
namespace {

using common::log_event;
using common::LogLevel;
using SteadyClock = std::chrono::steady_clock;

// A budget is a key and its limit together, so two limits on one key are two budgets.
std::string redis_key_of(const policy::Charge& charge) {
  std::string key = schema::redis_key::join(schema::redis_key::kLimitPrefix, charge.key);
  key += ':' + std::to_string(charge.limit.limit);
  key += '/' + common::to_duration_text(charge.limit.period);
  key += '/' + std::to_string(charge.limit.burst);
  key += '/';
  return key.append(policy::to_string(charge.limit.unit));
}

RedisLimiter::Options prepared(RedisLimiter::Options options) {
  options.redis.command_deadline = options.deadline;
  options.redis.master_check = Duration(0);  // asked by the prober, never on the mail path
  options.connections = std::max<std::size_t>(options.connections, 1);
  // A failure breaks its connection; with none left, callers would wait for nothing.
  options.breaker_failures = std::min<std::uint32_t>(
      options.breaker_failures, static_cast<std::uint32_t>(options.connections));
  return options;
}

}  // namespace

struct RedisLimiter::Meters {
  common::Metrics::Counter by_redis, by_local, failures;
  common::Metrics::Gauge open;
  common::Metrics::Histogram seconds;

  explicit Meters(common::Metrics& metrics)
      : by_redis(answers(metrics, "redis")),
        by_local(answers(metrics, "local")),
        failures(metrics.counter("ipmit_milter_limiter_failures_total",
                                 "Calls that Redis did not answer in time or well.")),
        open(metrics.gauge("ipmit_milter_limiter_breaker_open",
                           "1 while limits are kept by each milter alone.")),
        seconds(metrics.histogram("ipmit_milter_limiter_seconds", "Time to ask Redis for a charge.",
                                  {0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02})) {}

  static common::Metrics::Counter answers(common::Metrics& metrics, std::string_view by) {
    return metrics.counter("ipmit_milter_limiter_answers_total", "Charges, by who answered.",
                           {{"by", by}});
  }
};

// One connection for one call. Put back by the destructor: to the idle ones, or to the broken ones
// if it is closed.
class RedisLimiter::Lease {
 public:
  Lease(RedisLimiter& limiter, SteadyClock::time_point until) : limiter_(limiter) {
    std::unique_lock lock(limiter.mutex_);
    limiter.changed_.wait_until(lock, until,
                                [&] { return !limiter.idle_.empty() || limiter.open_; });
    if (limiter.open_ || limiter.idle_.empty()) return;
    connection_ = std::move(limiter.idle_.back());
    limiter.idle_.pop_back();
  }
  ~Lease() {
    if (!connection_) return;
    {
      const std::lock_guard lock(limiter_.mutex_);
      auto& home = connection_->is_connected() ? limiter_.idle_ : limiter_.broken_;
      home.push_back(std::move(connection_));
    }
    limiter_.changed_.notify_one();
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  schema::RedisConnection* get() const { return connection_.get(); }

 private:
  RedisLimiter& limiter_;
  Connection connection_;
};

RedisLimiter::RedisLimiter(Options options, common::Metrics& metrics)
    : options_(prepared(std::move(options))),
      meters_(std::make_unique<Meters>(metrics)),
      local_(options_.most_local_keys) {
  meters_->open.set(1);
  for (std::size_t i = 0; i < options_.connections; ++i)
    broken_.push_back(std::make_unique<schema::RedisConnection>(options_.redis));
  prober_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

RedisLimiter::~RedisLimiter() = default;

Limiter::Result RedisLimiter::charge(std::span<const policy::Charge> charges, TimePoint now) {
  if (!open_) {
    const auto asked_at = SteadyClock::now();
    if (const auto result = ask(schema::kGcraScript, charges)) {
      const std::chrono::duration<double> took = SteadyClock::now() - asked_at;
      meters_->seconds.observe(took.count());
      meters_->by_redis.add();
      return *result;
    }
  }
  meters_->by_local.add();
  return local_.charge(charges, now);
}

void RedisLimiter::refund(std::span<const policy::Charge> charges, TimePoint now) {
  if (open_ || !ask(schema::kGcraRefundScript, charges)) local_.refund(charges, now);
}

// nullopt: Redis did not answer.
std::optional<Limiter::Result> RedisLimiter::ask(const schema::RedisScript& script,
                                                 std::span<const policy::Charge> charges) {
  const auto until = SteadyClock::now() + options_.deadline;
  std::vector<std::string> keys, arguments;
  for (const policy::Charge& charge : charges) {
    keys.push_back(redis_key_of(charge));
    arguments.push_back(std::to_string(policy::gcra_interval_us(charge.limit)));
    arguments.push_back(std::to_string(charge.limit.burst));
    arguments.push_back(std::to_string(charge.units));
  }
  const std::vector<std::string_view> key_views(keys.begin(), keys.end());
  const std::vector<std::string_view> argument_views(arguments.begin(), arguments.end());

  const Lease lease(*this, until);
  if (lease.get() == nullptr) return std::nullopt;
  try {
    const auto left = std::chrono::ceil<Duration>(until - SteadyClock::now());
    const schema::RedisReply reply = lease.get()->run(script, key_views, argument_views, left);
    if (failures_ != 0) failures_ = 0;
    Result result;
    if (!reply.value().is_array() || reply[0].integer() == 0) return result;
    result.refused = static_cast<std::size_t>(reply[0].integer() - 1);
    if (const std::int64_t wait_us = reply[1].integer(); wait_us >= 0)
      result.retry_after = std::chrono::ceil<Duration>(std::chrono::microseconds(wait_us));
    return result;
  } catch (const std::runtime_error& error) {
    note_failure(error.what());
  }
  return std::nullopt;
}

void RedisLimiter::note_failure(const std::string& reason) {
  meters_->failures.add();
  if (++failures_ >= options_.breaker_failures) return break_off(reason);
  {
    const std::lock_guard lock(mutex_);
    in_doubt_ = true;
  }
  changed_.notify_all();
}

void RedisLimiter::break_off(const std::string& reason) {
  if (open_.exchange(true)) return;
  meters_->open.set(1);
  changed_.notify_all();  // whoever waits for a connection goes to the local limiter
  log_event(LogLevel::kWarn, "limiter_local",
            {{"reason", reason}, {"effect", "each milter keeps its part of the limits"}});
}

void RedisLimiter::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    probe();
    std::unique_lock lock(mutex_);
    const Duration pause = open_ ? options_.probe_every : options_.check_every;
    changed_.wait_for(lock, stop, pause, [&] {
      return in_doubt_.exchange(false) || (pause > options_.probe_every && open_);
    });
  }
}

// While the breaker is open: mends every connection and closes it when each had an answer in time.
// While it is closed: mends the broken ones and looks whether the server is still the master.
void RedisLimiter::probe() {
  std::vector<Connection> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(broken_);
    if (open_) {
      std::move(idle_.begin(), idle_.end(), std::back_inserter(taken));
      idle_.clear();
    } else if (taken.empty() && !idle_.empty()) {
      taken.push_back(std::move(idle_.back()));
      idle_.pop_back();
    }
  }
  std::size_t good = 0;
  while (good < taken.size() && repair(*taken[good])) ++good;
  const bool all_good = good == taken.size();
  {
    const std::lock_guard lock(mutex_);
    const auto first_bad = taken.begin() + static_cast<std::ptrdiff_t>(good);
    std::move(taken.begin(), first_bad, std::back_inserter(idle_));
    std::move(first_bad, taken.end(), std::back_inserter(broken_));
  }
  if (!all_good) {
    break_off("no answer in time");
  } else if (open_) {
    failures_ = 0;
    open_ = false;
    meters_->open.set(0);
    log_event(LogLevel::kInfo, "limiter_shared", {});
  }
  changed_.notify_all();
}

// A charge of nothing shows that the server answers in time, is the master and knows the scripts.
// One that was connected may have been left by its server, so it gets a second try.
bool RedisLimiter::repair(schema::RedisConnection& connection) {
  for (int tries = connection.is_connected() ? 2 : 1; tries > 0; --tries) {
    try {
      connection.check_master();
      connection.connect();
      connection.run(schema::kGcraScript, {}, {}, options_.deadline);
      connection.run(schema::kGcraRefundScript, {}, {}, options_.deadline);
      return true;
    } catch (const std::runtime_error&) {
      connection.close();
    }
  }
  return false;
}

}  // namespace ipmit::milter
