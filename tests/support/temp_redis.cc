// SPDX-License-Identifier: Apache-2.0
#include "tests/support/temp_redis.h"

#include <stdexcept>

#include <signal.h>

namespace ipmit::test {
namespace {

std::string run_cli(Arguments command, const Arguments& words, std::string_view input = {}) {
  command.insert(command.end(), words.begin(), words.end());
  std::string output = run_command(command, input).output;
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

}  // namespace

TempRedis::TempRedis(Arguments extra) : extra_(std::move(extra)) {
  start();
}

std::string TempRedis::url() const {
  return "redis://127.0.0.1:" + std::to_string(port_);
}
std::string TempRedis::unix_url() const {
  return "redis+unix://" + socket();
}

std::string TempRedis::cli(const Arguments& words, std::string_view input) const {
  return run_cli({"redis-cli", "-s", socket()}, words, input);
}

void TempRedis::start() {
  const auto log = directory_ / "redis.log";
  Arguments command = {"redis-server",
                       "--port",
                       std::to_string(port_),
                       "--bind",
                       "127.0.0.1",
                       "--unixsocket",
                       socket(),
                       "--dir",
                       directory_.path().string(),
                       "--save",
                       "",
                       "--appendonly",
                       "no",
                       "--daemonize",
                       "no"};
  command.insert(command.end(), extra_.begin(), extra_.end());
  server_ = std::make_unique<ChildProcess>(command, log);
  // One that wants a password, or is loading its dump, is up as well.
  const auto is_up = [this] {
    const std::string answer = cli({"PING"});
    return answer == "PONG" || answer.starts_with("NOAUTH") || answer.starts_with("LOADING") ||
           answer.starts_with("MASTERDOWN");
  };
  if (!wait_until(is_up)) throw std::runtime_error("redis-server: " + read_file(log));
}

void TempRedis::kill() {
  server_->stop(SIGKILL);
}
void TempRedis::pause() const {
  server_->signal(SIGSTOP);
}
void TempRedis::resume() const {
  server_->signal(SIGCONT);
}
void TempRedis::save() const {
  cli({"SAVE"});
}

TempSentinel::TempSentinel(const TempRedis& master) {
  const auto config = directory_ / "sentinel.conf";
  write_file(config, "port " + std::to_string(port_) + "\nbind 127.0.0.1\ndir " +
                         directory_.path().string() + "\nsentinel monitor ipmit 127.0.0.1 " +
                         std::to_string(master.port()) +
                         " 1\nsentinel down-after-milliseconds ipmit 500\n"
                         "sentinel failover-timeout ipmit 3000\n");
  const auto log = directory_ / "sentinel.log";
  server_ = std::make_unique<ChildProcess>(Arguments{"redis-sentinel", config.string()}, log);
  if (!wait_until([this] { return cli({"PING"}) == "PONG"; }))
    throw std::runtime_error("redis-sentinel: " + read_file(log));
}

std::string TempSentinel::url() const {
  return "redis+sentinel://127.0.0.1:" + std::to_string(port_) + "/ipmit";
}

std::string TempSentinel::cli(const Arguments& words) const {
  return run_cli({"redis-cli", "-p", std::to_string(port_)}, words);
}

std::uint16_t TempSentinel::master_port() const {
  const std::string answer = cli({"SENTINEL", "get-master-addr-by-name", "ipmit"});
  const std::size_t end = answer.find('\n');
  if (end == std::string::npos) return 0;
  return static_cast<std::uint16_t>(std::stoi(answer.substr(end + 1)));
}

std::size_t TempSentinel::replicas() const {
  std::size_t up = 0;
  const std::string answer = cli({"SENTINEL", "replicas", "ipmit"});
  for (std::size_t at = 0; (at = answer.find("flags\nslave\n", at)) != std::string::npos; ++at)
    ++up;
  return up;
}

}  // namespace ipmit::test
