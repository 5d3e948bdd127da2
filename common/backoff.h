// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <random>

#include "common/clock.h"

namespace ipmit::common {

// How long to wait before the next try: doubles from `first` to `most` with each failure. Up to
// half of each delay is left out at random, so that programs that failed together do not come back
// together. One thread at a time.
class Backoff {
 public:
  Backoff(Duration first, Duration most) : first_(first), most_(most), next_(first) {}

  Duration next() {
    const Duration whole = next_;
    next_ = std::min(most_, next_ * 2);
    std::uniform_int_distribution<Duration::rep> jitter(whole.count() / 2, whole.count());
    return Duration(jitter(random_));
  }
  void reset() { next_ = first_; }

 private:
  Duration first_;
  Duration most_;
  Duration next_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace ipmit::common
