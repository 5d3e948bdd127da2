// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "common/clock.h"
#include "schema/redis_signs.h"

namespace ipmit::controller {

using common::Duration;

// Tells Redis for `ipmitctl status` that this controller is alive, what it does and what failed
// last; takes it back when destroyed. A thread of its own, so that it speaks while the store does
// not answer. Failures wait for the next time: whoever reads Redis notices them anyway.
class Announcer {
 public:
  // `describe` is called on the thread and fills in state, revision and last_error.
  Announcer(schema::RedisOptions redis, schema::ControllerSign sign,
            std::function<void(schema::ControllerSign&)> describe);
  ~Announcer();

 private:
  void run(const std::stop_token& stop);
  void announce();

  schema::ControllerSign sign_;  // of the thread, like the rest
  const std::function<void(schema::ControllerSign&)> describe_;
  schema::RedisConnection connection_;
  std::jthread thread_;
};

}  // namespace ipmit::controller
