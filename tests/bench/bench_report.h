// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <ctime>

#include <sys/resource.h>

// What benchmarks share that hold their figures to targets themselves. One thread.
namespace ipmit::bench {

// Targets that were missed so far, and whatever else a benchmark must not pass over.
inline int missed = 0;

// Prints a figure beside the least it should be.
inline void report(const char* what, double value, const char* unit, double least) {
  const bool ok = value >= least;
  if (!ok) ++missed;
  std::printf("%-52s %10.2f %-9s target >= %g %s\n", what, value, unit, least,
              ok ? "ok" : "MISSED");
}

// CPU seconds of this thread, and of the child processes that have ended.
inline double own_cpu_s() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

inline double children_cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace ipmit::bench
