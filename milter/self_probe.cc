// SPDX-License-Identifier: Apache-2.0
#include "milter/self_probe.h"

#include <random>
#include <utility>

#include "common/log.h"
#include "common/milter_wire.h"

namespace ipmit::milter {
namespace {

using common::connect_info;
using common::kPostfixActions;
using common::kPostfixSteps;
using common::negotiation;
using common::WireClient;

using SteadyClock = std::chrono::steady_clock;

}  // namespace

std::string make_probe_host() {
  std::random_device random;
  std::string host = "ipmit-self-probe";
  for (int i = 0; i < 4; ++i) host += "." + std::to_string(random());
  return host;
}

bool probe_once(const ListenAddress& address, const std::string& probe_host,
                common::Duration deadline) {
  const auto end = SteadyClock::now() + deadline;
  const auto left = [&] {
    return std::max(common::Duration{0},
                    std::chrono::duration_cast<common::Duration>(end - SteadyClock::now()));
  };
  using namespace std::string_view_literals;
  WireClient client;
  const auto answered = [&](char command, std::string_view data, char want) {
    if (!client.send(command, data)) return false;
    const auto answer = client.receive(left());
    return answer && answer->command == want;
  };
  const bool good = client.connect(address, deadline) &&
                    answered('O', negotiation(kPostfixActions, kPostfixSteps), 'O') &&
                    answered('C', connect_info(probe_host, 'U', 0, {}), 'c') &&
                    answered('M', "<>\0"sv, 'c');
  client.send('Q', {});
  return good;
}

SelfProbe::SelfProbe(Options options, std::function<std::optional<ListenAddress>()> target,
                     common::Metrics& metrics)
    : options_(std::move(options)),
      target_(std::move(target)),
      failures_(metrics.counter("ipmit_milter_probe_failures_total",
                                "Self probes without an answer in time.")),
      seconds_(metrics.gauge("ipmit_milter_probe_seconds", "Duration of the last self probe.")),
      last_success_(SteadyClock::now().time_since_epoch().count()) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

bool SelfProbe::is_alive() const {
  const SteadyClock::duration age =
      SteadyClock::now().time_since_epoch() - SteadyClock::duration(last_success_.load());
  return age < options_.every + options_.deadline + std::chrono::seconds(1);
}

void SelfProbe::run(const std::stop_token& stop) {
  bool failing = false;
  while (!stop.stop_requested()) {
    const auto address = target_();
    const auto start = SteadyClock::now();
    const bool good = !address || probe_once(*address, options_.probe_host, options_.deadline);
    if (good) {
      last_success_ = SteadyClock::now().time_since_epoch().count();
    } else {
      failures_.add();
    }
    if (good == failing) {
      failing = !good;
      common::log_event(good ? common::LogLevel::kInfo : common::LogLevel::kError,
                        good ? "self_probe_recovered" : "self_probe_failed",
                        {{"deadline_ms", options_.deadline.count()}});
    }
    seconds_.set(std::chrono::duration<double>(SteadyClock::now() - start).count());
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, options_.every, [] { return false; });
  }
}

}  // namespace ipmit::milter
