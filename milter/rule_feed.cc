// SPDX-License-Identifier: Apache-2.0
#include "milter/rule_feed.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/backoff.h"
#include "common/error.h"
#include "common/log.h"
#include "schema/snapshot_file.h"

namespace ipmit::milter {
namespace {

using common::log_event;
using common::LogLevel;

// How long one look at the source may take before reload() and the stop are noticed.
constexpr Duration kTick{500};

}  // namespace

std::string_view to_string(RuleState state) {
  switch (state) {
    case RuleState::kNone:
      return "none";
    case RuleState::kFromDisk:
      return "from-disk";
    case RuleState::kFresh:
      return "fresh";
    case RuleState::kStale:
      break;
  }
  return "stale";
}

struct RuleFeed::Kept {
  Rules rules;
  std::string epoch;
  TimePoint confirmed_at;
};

struct RuleFeed::Meters {
  common::Metrics::Gauge age, revision, loaded, skipped;
  common::Metrics::Gauge none, from_disk, fresh, stale;
  common::Metrics::Counter ok, older, failed, saved, not_saved;

  explicit Meters(common::Metrics& metrics)
      : age(metrics.gauge("ipmit_snapshot_age_seconds",
                          "Time since the source last confirmed the rules in force; +Inf: none.")),
        revision(metrics.gauge("ipmit_milter_rules_revision", "Revision of the rules in force.")),
        loaded(metrics.gauge("ipmit_milter_rules_loaded", "Mitigations in force or to come.")),
        skipped(metrics.gauge("ipmit_milter_rules_skipped",
                              "Entries of the source that could not be read at the last load.")),
        none(state(metrics, RuleState::kNone)),
        from_disk(state(metrics, RuleState::kFromDisk)),
        fresh(state(metrics, RuleState::kFresh)),
        stale(state(metrics, RuleState::kStale)),
        ok(loads(metrics, "ok")),
        older(loads(metrics, "older")),
        failed(loads(metrics, "failed")),
        saved(saves(metrics, "ok")),
        not_saved(saves(metrics, "failed")) {}

  static common::Metrics::Gauge state(common::Metrics& metrics, RuleState which) {
    return metrics.gauge("ipmit_milter_rules_state", "1 for the state the rules are in.",
                         {{"state", to_string(which)}});
  }
  static common::Metrics::Counter loads(common::Metrics& metrics, std::string_view result) {
    return metrics.counter("ipmit_milter_rule_loads_total",
                           "Tries to load the rules; older: a lower revision, not taken.",
                           {{"result", result}});
  }
  static common::Metrics::Counter saves(common::Metrics& metrics, std::string_view result) {
    return metrics.counter("ipmit_milter_rule_saves_total", "Disk snapshots written.",
                           {{"result", result}});
  }
};

RuleFeed::RuleFeed(Options options, SourceFactory open_source, common::Metrics& metrics)
    : options_(std::move(options)),
      open_source_(std::move(open_source)),
      meters_(std::make_unique<Meters>(metrics)),
      rules_(std::make_shared<const policy::MitigationSet>()) {
  update_gauges(common::now());
}

RuleFeed::~RuleFeed() {
  loader_ = std::jthread();  // asks it to stop and waits, so that the saver sees its last rules
  saver_ = std::jthread();
}

void RuleFeed::start() {
  loader_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, options_.start_deadline, [this] { return first_try_done_; });
  }
  if (origin_ == Origin::kNone) take_from_disk();
  if (origin_ == Origin::kNone)
    log_event(LogLevel::kError, "rules_missing",
              {{"effect", "the configured fallback decides until the source is reached"}});
  if (!options_.snapshot_file.empty())
    saver_ = std::jthread([this](const std::stop_token& stop) { save_loop(stop); });
  update_gauges(common::now());
}

RuleState RuleFeed::state(TimePoint now) const {
  switch (origin_.load()) {
    case Origin::kNone:
      return RuleState::kNone;
    case Origin::kDisk:
      return RuleState::kFromDisk;
    case Origin::kSource:
      break;
  }
  return now - confirmed_at_.load() > options_.stale_after ? RuleState::kStale : RuleState::kFresh;
}

RuleFeed::Status RuleFeed::status(TimePoint now) const {
  Status status;
  {
    const std::lock_guard lock(publish_mutex_);  // rules and epoch that belong together
    const auto set = rules_.current();
    status = {state(now), set->revision(), set->size(), {}, epoch_, skipped_, {}};
  }
  if (status.state != RuleState::kNone)
    status.age = std::max(now - confirmed_at_.load(), Duration::zero());
  const std::lock_guard lock(mutex_);
  status.last_error = last_error_;
  return status;
}

void RuleFeed::update_gauges(TimePoint now) const {
  const Status current = status(now);
  meters_->age.set(current.age ? std::chrono::duration<double>(*current.age).count()
                               : std::numeric_limits<double>::infinity());
  meters_->revision.set(static_cast<double>(current.revision));
  meters_->loaded.set(static_cast<double>(current.rules));
  meters_->none.set(current.state == RuleState::kNone);
  meters_->from_disk.set(current.state == RuleState::kFromDisk);
  meters_->fresh.set(current.state == RuleState::kFresh);
  meters_->stale.set(current.state == RuleState::kStale);
}

// The one place that catches what sources throw: the last rules stay in force whatever happens.
void RuleFeed::run(const std::stop_token& stop) {
  common::Backoff backoff(options_.first_retry, options_.most_retry);
  bool must_load = true;
  while (!stop.stop_requested()) {
    try {
      must_load = step(stop, must_load);
      backoff.reset();
      continue;
    } catch (const common::TransientError& error) {
      note_failure("transient", error.what());
    } catch (const common::PermanentError& error) {
      note_failure("permanent", error.what());
      source_.reset();
    } catch (const std::exception& error) {
      note_failure("unexpected", error.what());
      source_.reset();
    }
    must_load = true;
    first_try_is_done();
    update_gauges(common::now());
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, backoff.next(), [this] { return reload_asked_.load(); });
  }
}

// One load or one wait; returns whether a load is due next.
bool RuleFeed::step(const std::stop_token& stop, bool must_load) {
  if (reload_asked_.exchange(false)) source_.reset();  // a new one knows nothing, so reads it all
  if (!source_) {
    source_ = open_source_();
    must_load = true;
  }
  if (must_load) {
    load();
    first_try_is_done();
  } else if (source_->wait_for_change(kTick, stop)) {
    return true;
  } else if (origin_ == Origin::kSource && !older_ && !stop.stop_requested()) {
    confirmed_at_ = common::now();
  }
  if (std::exchange(failing_, false))
    log_event(LogLevel::kInfo, "rules_source_back", {{"revision", rules_.current()->revision()}});
  update_gauges(common::now());
  return false;
}

void RuleFeed::load() {
  const TimePoint asked_at = common::now();
  schema::MitigationSource::Loaded loaded = source_->load();
  skipped_ = loaded.skipped;
  meters_->skipped.set(static_cast<double>(loaded.skipped));
  const auto rules = std::make_shared<const policy::MitigationSet::Source>(std::move(loaded.set));
  if (!publish(rules, loaded.epoch, Origin::kSource, asked_at)) {
    meters_->older.add();
    if (std::exchange(older_, true)) return;
    log_event(LogLevel::kWarn, "rules_older_ignored",
              {{"revision", rules->revision}, {"held", rules_.current()->revision()}});
    return;
  }
  older_ = false;
  meters_->ok.add();
  log_event(LogLevel::kInfo, "rules_loaded",
            {{"revision", rules->revision},
             {"mitigations", rules->mitigations.size()},
             {"exemptions", rules->exemptions.size()},
             {"skipped", loaded.skipped},
             {"took_ms", (common::now() - asked_at).count()}});
  if (options_.snapshot_file.empty()) return;
  auto kept = std::make_shared<const Kept>(Kept{rules, loaded.epoch, asked_at});
  {
    const std::lock_guard lock(mutex_);
    to_save_.swap(kept);
  }
  changed_.notify_all();
}

// false: what is in force is newer (or from the source itself, where `origin` is the disk).
bool RuleFeed::publish(const Rules& rules, const std::string& epoch, Origin origin,
                       TimePoint confirmed_at) {
  auto set = policy::MitigationSet::build(*rules);
  const std::lock_guard lock(publish_mutex_);
  const bool held = origin_ != Origin::kNone;
  if (held && origin == Origin::kDisk) return false;
  if (held && epoch == epoch_ && rules->revision < rules_.current()->revision()) return false;
  rules_.publish(std::move(set));
  epoch_ = epoch;
  confirmed_at_ = confirmed_at;
  origin_ = origin;
  return true;
}

void RuleFeed::take_from_disk() {
  if (options_.snapshot_file.empty()) return;
  try {
    auto saved = schema::load_rules(options_.snapshot_file);
    if (!saved) return;
    const auto rules = std::make_shared<const policy::MitigationSet::Source>(std::move(saved->set));
    if (!publish(rules, saved->epoch, Origin::kDisk, saved->confirmed_at)) return;
    log_event(LogLevel::kWarn, "rules_from_disk",
              {{"file", options_.snapshot_file.string()},
               {"revision", rules->revision},
               {"mitigations", rules->mitigations.size()},
               {"confirmed_at", common::to_rfc3339(saved->confirmed_at)}});
  } catch (const std::exception& error) {
    log_event(LogLevel::kError, "rules_from_disk_failed", {{"reason", error.what()}});
  }
}

void RuleFeed::note_failure(std::string_view kind, const std::string& reason) {
  meters_->failed.add();
  {
    const std::lock_guard lock(mutex_);
    last_error_ = common::to_rfc3339(common::now()) + " " + reason;
  }
  if (std::exchange(failing_, true)) return;
  log_event(
      LogLevel::kWarn, "rules_source_failed",
      {{"kind", kind},
       {"reason", reason},
       {"effect", origin_ == Origin::kNone ? "no rules yet" : "the last rules stay in force"}});
}

void RuleFeed::first_try_is_done() {
  {
    const std::lock_guard lock(mutex_);
    first_try_done_ = true;
  }
  changed_.notify_all();
}

void RuleFeed::save_loop(const std::stop_token& stop) {
  const auto take = [this] { return std::exchange(to_save_, nullptr); };
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    changed_.wait_for(lock, stop, options_.save_every, [this] { return to_save_ != nullptr; });
    const auto kept = take();
    lock.unlock();
    if (kept) {
      save(*kept);
    } else {
      confirm_on_disk();
    }
    lock.lock();
    if (kept) changed_.wait_for(lock, stop, options_.save_every, [] { return false; });
  }
  const auto last = take();
  lock.unlock();
  if (last) save(*last);
  confirm_on_disk();
}

void RuleFeed::save(const Kept& kept) {
  try {
    schema::save_rules(options_.snapshot_file, *kept.rules, kept.epoch, kept.confirmed_at);
    on_disk_confirmed_at_ = kept.confirmed_at;
    meters_->saved.add();
    saves_fail_ = false;
  } catch (const std::exception& error) {
    meters_->not_saved.add();
    on_disk_confirmed_at_ = TimePoint{};
    if (std::exchange(saves_fail_, true)) return;
    log_event(LogLevel::kWarn, "rules_not_saved", {{"reason", error.what()}});
  }
}

// An old file with unchanged rules is as good as a new one; its time says so.
void RuleFeed::confirm_on_disk() {
  const TimePoint confirmed_at = confirmed_at_;
  if (on_disk_confirmed_at_ == TimePoint{} || confirmed_at == on_disk_confirmed_at_) return;
  try {
    schema::confirm_rules(options_.snapshot_file, confirmed_at);
    on_disk_confirmed_at_ = confirmed_at;
  } catch (const common::TransientError&) {
    on_disk_confirmed_at_ = TimePoint{};
    reload();  // somebody removed it: load and write it again
  }
}

}  // namespace ipmit::milter
