// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace ipmit::test {

// A thread that sends mail through a real Postfix whose milter enforces the rules of a TestFleet:
// of a clean, a rejected and a throttled client, one session after the other. Whatever is not
// answered as the rules say, such as the 451 of a Postfix whose filter fails, is a failure.
class MailLoop {
 public:
  // `pause` between two sessions.
  explicit MailLoop(std::uint16_t port, std::chrono::milliseconds pause = {});

  int sent() const { return sent_; }
  // Until `count` more were answered; false: not within the patience of a test.
  bool wait_for(int count) const;
  // Ends the thread; what went wrong, empty: nothing.
  std::vector<std::string> stop();

 private:
  void run(const std::stop_token& stop);
  void send(const std::string& client, int want);

  const std::uint16_t port_;
  const std::chrono::milliseconds pause_;
  std::atomic<int> sent_{0};
  std::vector<std::string> failures_;  // of the thread until it ends
  std::jthread thread_;
};

}  // namespace ipmit::test
