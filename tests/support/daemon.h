// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "tests/support/process.h"

namespace ipmit::test {

struct HttpAnswer {
  int status = 0;  // 0: no answer
  std::string body;
};
HttpAnswer http_ask(std::uint16_t port, std::string_view method, std::string_view path);
// A value of /metrics; -1: not there.
double http_metric(std::uint16_t port, std::string_view name_and_labels);

// A built program of ours with a configuration file: started, killed, started again. Ended by the
// destructor. One thread at a time.
class Daemon {
 public:
  // Does not start it. `config` and the log lie in `directory`, which has to live longer.
  Daemon(const TempDir& directory, std::string program, const std::string& name,
         std::uint16_t http_port);

  void write_config(std::string_view text) const { write_file(config_, text); }
  void start();
  void kill() { process_->stop(SIGKILL); }
  bool running() { return process_ != nullptr && process_->running(); }
  ChildProcess& process() { return *process_; }
  std::string log() const { return read_file(log_); }
  bool wait_for_log(std::string_view part) const;

  HttpAnswer http(std::string_view path) const { return http_ask(http_port_, "GET", path); }
  double metric(std::string_view name_and_labels) const {
    return http_metric(http_port_, name_and_labels);
  }

 private:
  std::string program_;
  std::filesystem::path config_, log_;
  std::uint16_t http_port_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace ipmit::test
