// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <string>
#include <thread>

namespace ipmit::test {

// Stands between a client and a real server on a loopback port: passes requests on at once and
// answers after a delay. Its destructor closes all connections.
class SlowProxy {
 public:
  SlowProxy(std::uint16_t listen_port, std::uint16_t server_port);
  ~SlowProxy();
  SlowProxy(const SlowProxy&) = delete;
  SlowProxy& operator=(const SlowProxy&) = delete;

  // For what the server answers from now on. Thread-safe.
  void set_delay(std::chrono::milliseconds delay) { delay_ = delay; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Answer {
    Clock::time_point due;
    std::string bytes;
  };
  struct Pair {
    int client = -1, server = -1;
    std::deque<Answer> answers{};
    bool open = true;
  };

  void run(const std::stop_token& stop);
  void add_pair();
  void pass(Pair& pair, bool from_client, bool from_server);
  int wait_ms() const;

  const std::uint16_t server_port_;
  const int listener_;
  std::atomic<std::chrono::milliseconds> delay_{std::chrono::milliseconds(0)};
  std::list<Pair> pairs_;  // of the thread
  std::jthread thread_;
};

}  // namespace ipmit::test
