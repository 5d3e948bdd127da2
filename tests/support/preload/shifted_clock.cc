// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program under test (LD_PRELOAD), this moves its wall clock by SHIFT_CLOCK_S
// seconds; clocks that only measure time are left alone. Asks the kernel itself and needs nothing
// that the program may not have.
#include <cstdlib>

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

namespace {

long shift() {
  static const char* const text = std::getenv("SHIFT_CLOCK_S");
  return text != nullptr ? std::atol(text) : 0;
}

timespec wall_clock() {
  timespec now{};
  ::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  now.tv_sec += shift();
  return now;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  if (clock != CLOCK_REALTIME) return static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
  *now = wall_clock();
  return 0;
}

int gettimeofday(timeval* now, void*) noexcept {
  const timespec time = wall_clock();
  *now = {time.tv_sec, time.tv_nsec / 1'000};
  return 0;
}

time_t time(time_t* now) noexcept {
  const time_t seconds = wall_clock().tv_sec;
  if (now != nullptr) *now = seconds;
  return seconds;
}

}  // extern "C"
