// SPDX-License-Identifier: Apache-2.0
#include "milter/announcer.h"

#include <atomic>
#include <utility>

#include <unistd.h>

#include "common/log.h"
#include "common/stoppable_wait.h"
#include "schema/redis_signs.h"

namespace ipmit::milter {
namespace {

constexpr Duration kLook{50};  // for a new generation: two atomic reads, no lock

// Several feeds may live in one process (tests); a pid alone would not tell them apart.
std::string make_id(const std::string& host) {
  static std::atomic<unsigned> count{0};
  const unsigned number = count++;
  std::string id = host + "/" + std::to_string(::getpid());
  return number == 0 ? id : id + "." + std::to_string(number);
}

}  // namespace

Announcer::Announcer(Options options, const RuleFeed& feed,
                     std::function<void(std::uint32_t)> on_count)
    : options_(std::move(options)),
      feed_(feed),
      on_count_(std::move(on_count)),
      id_(make_id(options_.host)),
      since_(common::now()),
      connection_(options_.redis),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Announcer::~Announcer() {
  thread_ = std::jthread();
  try {
    if (connection_.is_connected()) schema::withdraw_milter(connection_, id_);
  } catch (const std::runtime_error&) {
    // Its lifetime ends soon enough.
  }
}

void Announcer::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::uint64_t generation = feed_.rules().generation();
    announce();
    for (Duration waited{0}; waited < options_.every && !stop.stop_requested(); waited += kLook) {
      common::wait_unless_stopped(kLook, stop);
      if (feed_.rules().generation() != generation) break;
    }
  }
}

void Announcer::announce() {
  const TimePoint now = common::now();
  const RuleFeed::Status status = feed_.status(now);
  schema::MilterSign sign;
  sign.id = id_;
  sign.host = options_.host;
  sign.version = options_.version;
  sign.state = to_string(status.state);
  sign.epoch = status.epoch;
  sign.revision = status.revision;
  sign.rules = status.rules;
  sign.skipped = status.skipped;
  if (status.age) sign.confirmed = common::to_rfc3339(now - *status.age);
  sign.since = common::to_rfc3339(since_);
  sign.last_error = status.last_error;
  try {
    const std::uint32_t alive = schema::announce_milter(connection_, sign, options_.lifetime);
    if (on_count_) on_count_(alive);
    if (std::exchange(failing_, false)) common::log_event(common::LogLevel::kInfo, "announced", {});
  } catch (const std::runtime_error& error) {
    if (std::exchange(failing_, true)) return;
    common::log_event(common::LogLevel::kWarn, "announce_failed", {{"reason", error.what()}});
  }
}

}  // namespace ipmit::milter
