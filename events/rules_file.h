// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.h"
#include "common/snapshot.h"
#include "events/bounce_rules.h"

namespace ipmit::events {

// Bounce rules that a running program takes from a file, and again whenever the file changes: by
// rename or in place, noticed by device, inode, size and time. A file that is bad or gone changes
// nothing: the rules in force stay, and the problem is told once for each bad version.
//
// Thread-safe. Whoever classifies takes rules() once for each mail or text and keeps the pointer
// while it uses it; the old rules die with their last user. Looking reads the file in the thread
// that asks, all others go on with the rules there are.
class RulesFile {
 public:
  // Text of the file to rules. Problem: with file and line.
  using Compile = std::function<common::Result<BounceRules>(std::string_view text)>;
  // Called without any lock, in the thread that looked.
  using Report = std::function<void(const std::string& problem)>;
  using Steady = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::seconds kEvery{1};  // rules() looks at the file no more often
  static constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;

  struct Counters {
    std::uint64_t reloads = 0;   // new rules in force, the first not counted
    std::uint64_t failures = 0;  // bad versions, each counted once
  };

  // Reads the file. What is no regular file (a pipe) is read once and never again. Problem: it
  // cannot be read, or what `compile` says.
  static common::Result<std::unique_ptr<RulesFile>> open(std::string path, Compile compile,
                                                         Report report);
  // Rules that never change.
  explicit RulesFile(BounceRules rules);

  // The rules in force, never nullptr.
  std::shared_ptr<const BounceRules> rules();
  // The same at a time of the caller's, for tests and for who has just asked the clock.
  std::shared_ptr<const BounceRules> rules(Steady now);

  // Looks now. True: new rules are in force.
  bool look();

  Counters counters() const { return {reloads_, failures_}; }

 private:
  // What tells one version of the file from another without reading it.
  struct Version {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t modified_ns = 0;
    friend bool operator==(const Version&, const Version&) = default;
  };
  struct Read {
    std::string text, problem;  // one of them
    Version version;
    bool is_regular = false;
    bool is_settled = false;  // too old to be written again within the same tick of its time
  };

  RulesFile(std::string path, Compile compile, Report report, const Read& read, BounceRules rules);

  static Read read_file(const std::string& path);
  static std::optional<Version> version_of(const std::string& path);
  bool take_changes(std::string& problem);

  const std::string path_;  // empty: never looked at
  const Compile compile_;
  const Report report_;
  common::Snapshot<BounceRules> snapshot_;
  std::atomic<Steady::rep> next_look_{0};
  std::atomic<std::uint64_t> reloads_{0}, failures_{0};
  std::mutex looking_;  // orders those who look, across their reading; rules() only tries it
  Read last_;           // guarded by looking_; the version seen last, good or bad
};

}  // namespace ipmit::events
