// SPDX-License-Identifier: Apache-2.0
#include "milter/supervisor.h"

#include <array>
#include <chrono>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"

namespace ipmit::milter {
namespace {

using SteadyClock = std::chrono::steady_clock;

// For connections that were in the backlog when it was closed.
constexpr int kBacklogPatienceMs = 1'000;

sigset_t service_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

void block_service_signals() {
  const sigset_t set = service_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Supervisor::Supervisor(Options options, Listener& listener, FdWatch& watch,
                       std::function<void()> reload, common::Metrics& metrics)
    : options_(options),
      listener_(listener),
      watch_(watch),
      reload_(std::move(reload)),
      draining_gauge_(metrics.gauge("ipmit_milter_draining", "1 while only open sessions go on.")),
      path_lost_(metrics.counter("ipmit_milter_socket_lost_total",
                                 "Times that somebody removed the socket and it was made anew.")) {
  const sigset_t set = service_signals();
  signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signals_ < 0 || wake_ < 0) throw common::PermanentError("cannot wait for signals");
}

Supervisor::~Supervisor() {
  if (signals_ >= 0) close(signals_);
  if (wake_ >= 0) close(wake_);
}

void Supervisor::request_drain() {
  drain_asked_ = true;
  const std::uint64_t one = 1;
  static_cast<void>(write(wake_, &one, sizeof one) == sizeof one);  // full: it wakes up anyway
}

int Supervisor::next_signal() {
  std::array<pollfd, 2> waiting{{{signals_, POLLIN, 0}, {wake_, POLLIN, 0}}};
  if (poll(waiting.data(), waiting.size(), static_cast<int>(options_.tick.count())) <= 0) return 0;
  std::uint64_t woken = 0;
  static_cast<void>(read(wake_, &woken, sizeof woken) == sizeof woken);
  signalfd_siginfo info{};
  if (read(signals_, &info, sizeof info) != sizeof info) return 0;
  return static_cast<int>(info.ssi_signo);
}

std::size_t Supervisor::run() {
  while (end_reason_.empty()) {
    switch (next_signal()) {
      case SIGHUP:
        reload_();
        break;
      case SIGTERM:
      case SIGINT:
        end_reason_ = "signal";
        break;
      default:
        break;
    }
    if (drain_asked_) end_reason_ = "request";
    watch_.check();
    watch_path();
  }
  return drain(end_reason_);
}

void Supervisor::watch_path() {
  if (!end_reason_.empty()) return;
  const Listener::PathOwner owner = listener_.path_owner();
  if (owner == Listener::PathOwner::kSuccessor) {
    end_reason_ = "successor";
  } else if (owner == Listener::PathOwner::kOurs) {
    path_trouble_ = false;
  } else {
    try {
      listener_.reopen();
      path_lost_.add();
      common::log_event(common::LogLevel::kWarn, "socket_lost",
                        {{"reason", "somebody removed the socket; made a new one"}});
    } catch (const common::PermanentError& error) {
      if (!std::exchange(path_trouble_, true)) {
        common::log_event(common::LogLevel::kError, "socket_lost", {{"reason", error.what()}});
      }
    }
  }
}

std::size_t Supervisor::drain(std::string_view reason) {
  const auto start = SteadyClock::now();
  draining_ = true;
  draining_gauge_.set(1);
  listener_.stop(kBacklogPatienceMs);
  std::size_t open = listener_.open_connections();
  common::log_event(common::LogLevel::kInfo, "drain_started",
                    {{"reason", reason},
                     {"open_sessions", open},
                     {"grace", common::to_duration_text(options_.grace)}});
  while (open > 0 && SteadyClock::now() - start < options_.grace) {
    const int signal = next_signal();
    if (signal == SIGINT) break;  // a person who presses it twice
    open = listener_.open_connections();
  }
  const auto took =
      std::chrono::duration_cast<common::Duration>(SteadyClock::now() - start).count();
  common::log_event(open == 0 ? common::LogLevel::kInfo : common::LogLevel::kWarn, "drain_ended",
                    {{"open_sessions", open}, {"took_ms", took}});
  return open;
}

}  // namespace ipmit::milter
