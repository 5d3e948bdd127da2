// SPDX-License-Identifier: Apache-2.0
#include "milter/foreign_calls.h"

#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdio>

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

namespace {

constexpr std::int64_t kWindowMs = 60'000;
constexpr std::uint64_t kMostInWindow = 10;

std::atomic<std::uint64_t> messages{0};
std::atomic<std::int64_t> window_start_ms{0};
std::atomic<std::uint64_t> in_window{0};

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

// libmilter's signal thread is the only caller in this program (SignalWaiter uses sigtimedwait).
int sigwait(const sigset_t*, int*) {
  for (;;) pause();
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

bool signals_are_kept_from_libmilter() {
  return dlsym(RTLD_DEFAULT, "sigwait") == reinterpret_cast<void*>(&sigwait);
}

std::uint64_t libmilter_messages() {
  return messages.load(std::memory_order_relaxed);
}

}  // namespace ipmit::milter
