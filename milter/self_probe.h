// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/listen_address.h"
#include "common/metrics.h"

namespace ipmit::milter {

using common::ListenAddress;

// A connect name that no real client can have: of this process, random.
std::string make_probe_host();

// One dialogue as Postfix would hold it, over the real socket: negotiation, connect, MAIL, QUIT.
// Sessions recognise it by `probe_host` and count nothing. false: no answer within `deadline`.
bool probe_once(const ListenAddress& address, const std::string& probe_host,
                common::Duration deadline);

// Probes again and again on a thread of its own. Thread-safe.
class SelfProbe {
 public:
  struct Options {
    common::Duration every{1'000};
    common::Duration deadline{2'000};
    std::string probe_host;
  };
  // `target`: where to, asked before each probe; unset: nothing to probe now (draining, paused),
  // which counts as alive.
  SelfProbe(Options options, std::function<std::optional<ListenAddress>()> target,
            common::Metrics& metrics);

  // false: the last success is longer ago than one period, one deadline and a second.
  bool is_alive() const;

 private:
  void run(const std::stop_token& stop);

  const Options options_;
  const std::function<std::optional<ListenAddress>()> target_;
  common::Metrics::Counter failures_;
  common::Metrics::Gauge seconds_;
  std::atomic<std::chrono::steady_clock::rep> last_success_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace ipmit::milter
