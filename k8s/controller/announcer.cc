// SPDX-License-Identifier: Apache-2.0
#include "k8s/controller/announcer.h"

#include <stdexcept>
#include <utility>

#include "common/log.h"
#include "common/stoppable_wait.h"

namespace ipmit::controller {
namespace {

constexpr Duration kLook{100};  // for a new state: leads, stands by
constexpr Duration kEvery{1'000};
constexpr Duration kLifetime{10'000};

}  // namespace

Announcer::Announcer(schema::RedisOptions redis, schema::ControllerSign sign,
                     std::function<void(schema::ControllerSign&)> describe)
    : sign_(std::move(sign)),
      describe_(std::move(describe)),
      connection_(std::move(redis)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Announcer::~Announcer() {
  thread_ = std::jthread();
  try {
    if (connection_.is_connected()) schema::withdraw_controller(connection_, sign_.id);
  } catch (const std::runtime_error&) {
    // Its lifetime ends soon enough.
  }
}

void Announcer::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    describe_(sign_);
    announce();
    const std::string announced = sign_.state;
    for (Duration waited{0}; waited < kEvery && !stop.stop_requested(); waited += kLook) {
      common::wait_unless_stopped(kLook, stop);
      describe_(sign_);
      if (sign_.state != announced) break;
    }
  }
}

void Announcer::announce() {
  try {
    schema::announce_controller(connection_, sign_, kLifetime);
  } catch (const std::runtime_error& error) {
    common::log_event(common::LogLevel::kDebug, "announce_failed", {{"reason", error.what()}});
  }
}

}  // namespace ipmit::controller
