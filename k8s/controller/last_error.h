// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>

#include "common/clock.h"

namespace ipmit::controller {

// When and why the store or the cache last failed, for `ipmitctl status`. Thread-safe.
class LastError {
 public:
  void note(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    text_ = common::to_rfc3339(common::now()) + " " + reason;
  }
  std::string text() const {  // empty: never
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;  // guarded by mutex_
};

}  // namespace ipmit::controller
