// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/listen_address.h"
#include "policy/mitigation.h"
#include "tests/support/daemon.h"
#include "tests/support/process.h"

namespace ipmit::test {

struct MilterDaemonOptions {
  std::map<std::string, std::string> settings{};  // of the section milter, over the test's own
  std::string limits{};  // shell commands before the program ("ulimit -n 200")
  std::string cache{};   // URL; empty: it reads the store
  Environment environment{};
};

// The built ipmit-milter in a directory of its own: embedded store, unix socket, HTTP endpoint on a
// free port. Ended by the destructor.
class MilterDaemon {
 public:
  using Options = MilterDaemonOptions;
  // The directory may hold another daemon: the new one then takes its socket over.
  MilterDaemon(const TempDir& directory, std::string name, Options options = {});

  // Before or after start; the rules are in force when this returns.
  static void put(const TempDir& directory, const std::vector<policy::Mitigation>& mitigations);

  bool wait_ready();
  common::ListenAddress address() const;
  std::string socket_path() const { return socket_path_; }
  ChildProcess& process() { return *process_; }
  std::string log() const { return read_file(log_); }

  HttpAnswer http(std::string_view method, std::string_view path) const {
    return http_ask(http_port_, method, path);
  }
  double metric(std::string_view name_and_labels) const {
    return http_metric(http_port_, name_and_labels);
  }

  void write_settings(const std::map<std::string, std::string>& settings) const;
  void append_to_settings(std::string_view text) const;

  std::size_t descriptors() const;
  std::size_t resident_kib() const;
  double cpu_seconds() const;

 private:
  const TempDir& directory_;
  const std::string name_;
  const std::string socket_path_;
  const std::filesystem::path config_;
  const std::filesystem::path log_;
  const std::uint16_t http_port_;
  const std::string cache_;
  std::map<std::string, std::string> settings_;
  std::unique_ptr<ChildProcess> process_;
};

// One rule with a single target, for tests: "defer" gives name and reason.
policy::Mitigation make_rule(std::string_view name, std::string_view target, policy::Action action);

}  // namespace ipmit::test
