// SPDX-License-Identifier: Apache-2.0
#include "k8s/controller/projection.h"

#include <utility>

#include "common/error.h"
#include "common/log.h"

namespace ipmit::controller {
namespace {

using common::log_event;
using common::LogLevel;
using Depth = schema::RedisPublisher::Depth;

// Changes read from the store and sent to Redis in one go: bounds memory, not correctness.
constexpr std::size_t kMostChanges = 5'000;

constexpr const char* kRepairs = "Entries of the cache put right, by what was wrong with them.";

}  // namespace

Projection::Projection(schema::Store& store, schema::RedisPublisher& publisher,
                       LastError& last_error, common::Metrics& metrics)
    : store_(store),
      publisher_(publisher),
      last_error_(last_error),
      revision_gauge_(metrics.gauge("ipmit_controller_projected_revision",
                                    "Revision of the store that the cache holds.")),
      rules_gauge_(metrics.gauge("ipmit_controller_projected_rules",
                                 "Mitigations in the cache when all of it was last compared.")),
      in_step_gauge_(metrics.gauge("ipmit_controller_cache_in_step",
                                   "1 while the cache is known to hold the store's revision.")),
      changes_(metrics.counter("ipmit_controller_changes_projected_total",
                               "Changes of the store written to the cache one by one.")),
      resyncs_(metrics.counter("ipmit_controller_resyncs_total",
                               "Times all of the cache was compared with the store.")),
      missing_(metrics.counter("ipmit_controller_repairs_total", kRepairs, {{"kind", "missing"}})),
      extra_(metrics.counter("ipmit_controller_repairs_total", kRepairs, {{"kind", "extra"}})),
      altered_(metrics.counter("ipmit_controller_repairs_total", kRepairs, {{"kind", "altered"}})),
      damaged_(metrics.counter("ipmit_controller_repairs_total", kRepairs, {{"kind", "damaged"}})),
      cache_errors_(metrics.counter("ipmit_controller_cache_errors_total",
                                    "Calls to the cache that failed.")) {}

bool Projection::follow(TimePoint now) {
  if (!in_step_) return resync(Depth::kIndex, now);
  if (!apply_changes()) return false;
  return in_step_ || resync(Depth::kIndex, now);
}

bool Projection::verify(TimePoint now) {
  return resync(Depth::kContent, now);
}

// Leaves in_step_ false where Redis is not where we left it.
bool Projection::apply_changes() {
  for (;;) {
    const auto changes = store_.changes_since(revision_, kMostChanges);
    if (!changes) {
      in_step_ = false;
      return true;
    }
    if (changes->empty()) break;
    const std::uint64_t to = changes->back().revision;
    if (!with_cache([&] { in_step_ = publisher_.publish(epoch_, revision_, *changes, to); })) {
      return false;
    }
    if (!in_step_) return true;
    revision_ = to;
    changes_.add(static_cast<double>(changes->size()));
    revision_gauge_.set(static_cast<double>(to));
    if (changes->size() < kMostChanges) return true;
  }
  return with_cache([&] {
    const auto status = publisher_.status();
    in_step_ = status.epoch == epoch_ && status.revision == revision_;
  });
}

bool Projection::resync(Depth depth, TimePoint now) {
  const auto loaded = store_.load();
  const bool done = with_cache([&] {
    const auto report = publisher_.reconcile(loaded.set, depth, now, loaded.epoch);
    epoch_ = report.epoch;
    note(report);
  });
  if (!done) return false;
  revision_ = loaded.set.revision;
  in_step_ = true;
  in_step_gauge_.set(1);
  resyncs_.add();
  revision_gauge_.set(static_cast<double>(revision_));
  rules_gauge_.set(static_cast<double>(loaded.set.mitigations.size()));
  return true;
}

void Projection::note(const schema::RedisPublisher::Report& report) {
  missing_.add(static_cast<double>(report.missing));
  extra_.add(static_cast<double>(report.extra));
  altered_.add(static_cast<double>(report.altered));
  damaged_.add(static_cast<double>(report.damaged));
  if (report.repaired() == 0 && !report.new_epoch) return;
  log_event(LogLevel::kInfo, "cache_repaired",
            {{"missing", report.missing},
             {"extra", report.extra},
             {"altered", report.altered},
             {"damaged", report.damaged},
             {"new_epoch", report.new_epoch ? "yes" : "no"}});
}

template <typename Call>
bool Projection::with_cache(Call&& call) {
  std::string reason;
  try {
    call();
    if (std::exchange(cache_failing_, false)) log_event(LogLevel::kInfo, "cache_back", {});
    return true;
  } catch (const common::TransientError& error) {
    reason = error.what();
  } catch (const common::PermanentError& error) {
    reason = error.what();
  }
  cache_errors_.add();
  last_error_.note(reason);
  in_step_ = false;
  in_step_gauge_.set(0);
  if (!std::exchange(cache_failing_, true)) {
    log_event(LogLevel::kError, "cache_failed", {{"reason", reason}});
  }
  return false;
}

}  // namespace ipmit::controller
