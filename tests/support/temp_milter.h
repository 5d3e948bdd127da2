// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/mitigation.h"
#include "schema/store.h"
#include "tests/support/milter_daemon.h"
#include "tests/support/temp_postfix.h"

namespace ipmit::test {

// ipmit-milter with the embedded store on the socket where a TempPostfix looks for it. Everything
// it writes is in the Postfix's directory, which has to live longer. Two of them on one Postfix
// share the store and the socket path, as an old and a new version do at an upgrade.
class TempMilter {
 public:
  using Settings = std::map<std::string, std::string>;  // of the section milter

  // Does not start it.
  explicit TempMilter(const TempPostfix& postfix);

  // Blocks until it serves and enforces what is in the store. May be called again after the process
  // has ended.
  void start(const Settings& settings = {});
  // The same without the store: the rules are those that an earlier process has saved.
  void damage_store();
  void start_from_disk();

  ChildProcess& process() { return daemon_->process(); }
  bool is_running() { return daemon_ != nullptr && daemon_->process().running(); }
  MilterDaemon& daemon() { return *daemon_; }

  // Writes to the store as ipmitctl would, and if the milter runs waits until it enforces that.
  void put(policy::Mitigation mitigation);
  void exempt(std::string_view target);
  void release(std::string_view name);
  schema::Store& store() { return *store_; }

  std::string log() const { return daemon_ == nullptr ? std::string() : daemon_->log(); }
  // The first log line with all of these parts.
  std::optional<std::string> wait_for_log(const std::vector<std::string>& parts) const;
  double metric(std::string_view name_and_labels) const { return daemon_->metric(name_and_labels); }

  std::filesystem::path key_file() const { return directory_ / "trace.keys"; }
  std::filesystem::path saved_rules() const { return directory_ / "rules"; }

 private:
  void wait_for_revision(std::uint64_t revision);
  void launch(const Settings& settings);

  const TempDir& directory_;
  const Settings base_;
  std::unique_ptr<schema::Store> store_;
  std::unique_ptr<MilterDaemon> daemon_;
};

// A mitigation that is in force until released; a Throttle lets one message an hour pass.
policy::Mitigation rule(std::string_view name, policy::Action action, std::string_view target);

}  // namespace ipmit::test
