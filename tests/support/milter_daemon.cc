// SPDX-License-Identifier: Apache-2.0
#include "tests/support/milter_daemon.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <unistd.h>

#include "common/clock.h"
#include "schema/store.h"

namespace ipmit::test {

MilterDaemon::MilterDaemon(const TempDir& directory, std::string name, Options options)
    : directory_(directory),
      name_(std::move(name)),
      socket_path_(directory / "m.sock"),
      config_(directory / (name_ + ".yaml")),
      log_(directory / (name_ + ".log")),
      http_port_(free_port()),
      cache_(options.cache) {
  settings_ = {{"socket", "unix:" + socket_path_},
               {"metrics_listen", "127.0.0.1:" + std::to_string(http_port_)},
               {"snapshot_file", (directory / "rules").string()},
               {"trace_key_file", (directory / "trace.keys").string()},
               {"reroute_transports", "[slow]"},
               {"drain_grace", "10s"}};
  for (const auto& [key, value] : options.settings) settings_[key] = value;
  write_settings({});
  const std::string program = std::string(IPMIT_PROGRAM_DIR) + "/ipmit-milter";
  Arguments command{program, "--config", config_.string()};
  if (!options.limits.empty()) {
    command = {"bash", "-c", options.limits + "; exec \"$0\" --config \"$1\"", program,
               config_.string()};
  }
  process_ = std::make_unique<ChildProcess>(command, log_, options.environment);
}

void MilterDaemon::put(const TempDir& directory,
                       const std::vector<policy::Mitigation>& mitigations) {
  const auto store = schema::open_store("sqlite:" + (directory / "ipmit.db").string(), true);
  for (policy::Mitigation mitigation : mitigations) {
    store->put(mitigation, schema::PutMode::kAddOrReplace, {"test", "test"}, common::now());
  }
}

bool MilterDaemon::wait_ready() {
  return wait_until([this] {
           return !process_->running() ||
                  read_file(log_).find("event=serving") != std::string::npos;
         }) &&
         process_->running();
}

common::ListenAddress MilterDaemon::address() const {
  return common::parse_listen_address("unix:" + socket_path_).value();
}

void MilterDaemon::write_settings(const std::map<std::string, std::string>& settings) const {
  std::map<std::string, std::string> all = settings_;
  for (const auto& [key, value] : settings) all[key] = value;
  std::string text = "store: sqlite:" + (directory_ / "ipmit.db").string() + "\n";
  if (!cache_.empty()) text += "cache: " + cache_ + "\n";
  text += "milter:\n";
  for (const auto& [key, value] : all) text += "  " + key + ": " + value + "\n";
  write_file(config_, text);
}

void MilterDaemon::append_to_settings(std::string_view text) const {
  std::ofstream(config_, std::ios::app) << text;
}

std::size_t MilterDaemon::descriptors() const {
  const std::filesystem::path path = "/proc/" + std::to_string(process_->pid()) + "/fd";
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path)) ++count;
  return count;
}

std::size_t MilterDaemon::resident_kib() const {
  std::istringstream lines(read_file("/proc/" + std::to_string(process_->pid()) + "/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

double MilterDaemon::cpu_seconds() const {
  const std::string stat = read_file("/proc/" + std::to_string(process_->pid()) + "/stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

policy::Mitigation make_rule(std::string_view name, std::string_view target,
                             policy::Action action) {
  policy::Mitigation rule;
  rule.name = name;
  rule.targets = {policy::Target::parse(target).value()};
  rule.action = action;
  rule.reason = "test " + std::string(name);
  if (action == policy::Action::kReroute) rule.reroute_transport = "slow";
  return rule;
}

}  // namespace ipmit::test
