// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "schema/store.h"

namespace ipmit::milter {

// Counts which mitigations matched and hands the sums to the store from a thread of its own, so
// that `ipmitctl list` shows hits and the mail path never waits for the store. While the store
// fails, sums are kept and tried again; at most kMostNames names are held, further ones are not
// counted. Thread-safe. The destructor tries once more to hand over what is left.
class HitRecorder {
 public:
  static constexpr std::size_t kMostNames = 100'000;
  // Called on the recorder's thread; may block and may throw.
  using Sink = std::function<void(const std::vector<schema::Store::Hit>&)>;

  // An empty sink counts nothing.
  HitRecorder(Sink sink, common::Duration every);
  ~HitRecorder();
  HitRecorder(const HitRecorder&) = delete;
  HitRecorder& operator=(const HitRecorder&) = delete;

  void add(std::string_view mitigation, common::TimePoint now);

 private:
  struct Sum {
    std::uint64_t count = 0;
    common::TimePoint last{};
  };
  void run(const std::stop_token& stop);
  void hand_over();

  const Sink sink_;
  const common::Duration every_;
  bool failing_ = false;  // of the thread alone

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<std::string, Sum, std::less<>> sums_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace ipmit::milter
