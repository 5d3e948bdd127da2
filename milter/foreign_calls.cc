// SPDX-License-Identifier: Apache-2.0
#include "milter/foreign_calls.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include <dlfcn.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

namespace {

constexpr std::int64_t kWindowMs = 60'000;
constexpr std::uint64_t kMostInWindow = 10;

std::atomic<std::uint64_t> messages{0};
std::atomic<std::int64_t> window_start_ms{0};
std::atomic<std::uint64_t> in_window{0};

struct AcceptObserver {
  int fd = -1;
  std::function<void(int)> call;
};
AcceptObserver accept_observer;  // set before libmilter's threads exist, then constant

void take_message(const char* format, std::va_list arguments) {
  messages.fetch_add(1, std::memory_order_relaxed);
  const std::int64_t now_ms = ipmit::common::now().time_since_epoch().count();
  if (now_ms - window_start_ms.load() > kWindowMs) {
    window_start_ms = now_ms;
    in_window = 0;
  }
  if (in_window.fetch_add(1) >= kMostInWindow) return;
  std::array<char, 512> line{};
  std::vsnprintf(line.data(), line.size(), format, arguments);
  ipmit::common::log_event(ipmit::common::LogLevel::kInfo, "libmilter", {{"text", line.data()}});
}

}  // namespace

extern "C" {

// libmilter's signal thread is the only caller in this program (Supervisor has a signalfd).
int sigwait(const sigset_t*, int*) {
  for (;;) pause();
}

// Every caller in the program comes here, the HTTP server too; only libmilter's are observed.
int accept(int fd, sockaddr* address, socklen_t* length) {
  const int accepted = accept4(fd, address, length, 0);
  if (fd == accept_observer.fd) {
    const int error = errno;
    try {
      accept_observer.call(accepted);
    } catch (...) {
      // No memory for a log line; the caller is C.
    }
    errno = error;
  }
  return accepted;
}

// What syslog(3) is in a library built with _FORTIFY_SOURCE, as Debian's libmilter is.
void __syslog_chk(int, int, const char* format, ...) {  // NOLINT(bugprone-reserved-identifier)
  std::va_list arguments;
  va_start(arguments, format);
  try {
    take_message(format, arguments);
  } catch (...) {
    // The caller is C and knows no exceptions; the message was counted.
  }
  va_end(arguments);
}

}  // extern "C"

namespace ipmit::milter {

bool foreign_calls_are_ours() {
  return dlsym(RTLD_DEFAULT, "sigwait") == reinterpret_cast<void*>(&sigwait) &&
         dlsym(RTLD_DEFAULT, "accept") == reinterpret_cast<void*>(&::accept);
}

void observe_accept(int fd, std::function<void(int)> observer) {
  accept_observer = {fd, std::move(observer)};
}

std::uint64_t libmilter_messages() {
  return messages.load(std::memory_order_relaxed);
}

}  // namespace ipmit::milter
