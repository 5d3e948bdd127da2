// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <sys/types.h>

namespace ipmit::bench {

// Two filters to compare, each in a forked process of its own: one libmilter in a process. They
// take the same steps and macros; the empty one answers "go on" and does nothing else.
struct FilterOptions {
  std::string socket;         // path
  bool trace_header = false;  // each message gets one; the empty filter adds a fixed text
  int rules = 0;              // that never match
  int held_ms = 0;            // a MAIL from held@example.com blocks its thread for so long
};
pid_t start_ipmit_filter(const FilterOptions& options);
pid_t start_empty_filter(const FilterOptions& options);
void end_filter(pid_t pid);

}  // namespace ipmit::bench
