// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/metrics.h"
#include "common/snapshot.h"
#include "policy/mitigation_set.h"
#include "schema/store.h"

namespace ipmit::milter {

using common::Duration;
using common::TimePoint;

// How good the rules are that a message is decided by; what fallback_decision() goes by.
enum class RuleState : std::uint8_t {
  kNone,      // nothing was loaded since the start, and no snapshot was on disk
  kFromDisk,  // the last run's snapshot; the source was not reached yet
  kFresh,     // the source was reached within Options::stale_after
  kStale,     // the source's last known rules; it has not been reached for longer
};
std::string_view to_string(RuleState state);  // "none", "from-disk", "fresh", "stale"

// Keeps the rules of a milter in step with their source. Two threads of its own: one loads, builds
// and publishes after each change (within a second of it) and keeps the last rules while the source
// fails, retrying with growing delays; one writes the disk snapshot. Call start() once, then read.
// The destructor stops both and writes what was not yet saved. All const members are thread-safe.
class RuleFeed {
 public:
  struct Options {
    std::filesystem::path snapshot_file;  // empty: no disk snapshot
    Duration start_deadline{2'000};       // for the first load, then the disk snapshot is taken
    Duration stale_after{60'000};         // without contact to the source
    Duration save_every{5'000};           // at most one disk snapshot in this time
    Duration first_retry{100};            // grows to most_retry
    Duration most_retry{2'000};
  };
  // Called on the feed's thread, at the start and again after a PermanentError; may throw the
  // errors of common/error.h.
  using SourceFactory = std::function<std::unique_ptr<schema::MitigationSource>()>;

  // `metrics` outlives the feed.
  RuleFeed(Options options, SourceFactory open_source, common::Metrics& metrics);
  ~RuleFeed();
  RuleFeed(const RuleFeed&) = delete;
  RuleFeed& operator=(const RuleFeed&) = delete;

  // Blocks until there are rules from the source, or it failed or start_deadline passed and the
  // disk snapshot was read. Throws nothing of that: what came out is in status(), the log and the
  // metrics.
  void start();

  // An empty set, revision 0, before start() and in state kNone.
  const common::Snapshot<policy::MitigationSet>& rules() const { return rules_; }

  struct Status {
    RuleState state = RuleState::kNone;
    std::uint64_t revision = 0;
    std::size_t rules = 0;
    std::optional<Duration> age;  // since the source was last known to say the same; unset: kNone
    std::string epoch;            // of the source that the rules are from
    std::size_t skipped = 0;      // its entries that could not be read
    std::string last_error;       // RFC 3339 and reason: when the source last failed; empty: never
  };
  RuleState state(TimePoint now) const;  // cheap, for the mail path
  Status status(TimePoint now) const;

  // Loads again now (SIGHUP), changed or not. Does not wait for it.
  void reload() { reload_asked_ = true; }

  // Brings the gauges up to `now`; for the handler of /metrics.
  void update_gauges(TimePoint now) const;

 private:
  enum class Origin : std::uint8_t { kNone, kDisk, kSource };
  struct Kept;    // rules on their way to the disk
  struct Meters;  // what is exported
  using Rules = std::shared_ptr<const policy::MitigationSet::Source>;

  void run(const std::stop_token& stop);
  bool step(const std::stop_token& stop, bool must_load);
  void load();
  bool publish(const Rules& rules, const std::string& epoch, Origin origin, TimePoint confirmed_at);
  void take_from_disk();
  void note_failure(std::string_view kind, const std::string& reason);
  void first_try_is_done();
  void save_loop(const std::stop_token& stop);
  void save(const Kept& kept);
  void confirm_on_disk();

  const Options options_;
  const SourceFactory open_source_;
  const std::unique_ptr<Meters> meters_;

  common::Snapshot<policy::MitigationSet> rules_;
  std::atomic<Origin> origin_{Origin::kNone};
  std::atomic<TimePoint> confirmed_at_{TimePoint{}};
  std::atomic<bool> reload_asked_{false};

  // Of the loading thread alone.
  std::unique_ptr<schema::MitigationSource> source_;
  bool failing_ = false;
  bool older_ = false;  // the source's last answer was older than what is in force

  // Of the saving thread alone.
  bool saves_fail_ = false;
  TimePoint on_disk_confirmed_at_{};

  mutable std::mutex publish_mutex_;  // start() may publish while the loading thread does
  std::string epoch_;                 // guarded by publish_mutex_

  std::atomic<std::size_t> skipped_{0};

  mutable std::mutex mutex_;
  std::string last_error_;  // guarded by mutex_
  std::condition_variable_any changed_;
  bool first_try_done_ = false;          // guarded by mutex_
  std::shared_ptr<const Kept> to_save_;  // guarded by mutex_

  std::jthread saver_;
  std::jthread loader_;
};

}  // namespace ipmit::milter
