// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace ipmit::milter {

// libmilter starts a thread that waits for SIGHUP, SIGTERM and SIGINT with sigwait(3) and then cuts
// every session; there is no way to ask it not to. foreign_calls.cc defines sigwait() for the whole
// program: whoever calls it sleeps for ever, so the signals stay for SignalWaiter. It also takes
// libmilter's syslog(3) messages to our log, since containers have no syslog. docs/decisions/0031.

// True if the loader resolves sigwait to ours, which is decided when the program is linked.
bool signals_are_kept_from_libmilter();

// Messages libmilter wanted to log, those not written included (at most ten a minute are).
std::uint64_t libmilter_messages();

}  // namespace ipmit::milter
