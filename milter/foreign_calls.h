// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

namespace ipmit::milter {

// libmilter starts a thread that waits for SIGHUP, SIGTERM and SIGINT with sigwait(3) and then cuts
// every session; there is no way to ask it not to. foreign_calls.cc defines sigwait() for the whole
// program: whoever calls it sleeps for ever, so the signals stay for Supervisor. It also takes
// libmilter's syslog(3) messages to our log, since containers have no syslog, and shows each
// accept() on the milter's descriptor to an observer. docs/decisions/0031.

// True if the loader resolves these calls to ours, which is decided when the program is linked.
bool foreign_calls_are_ours();

// `observer` gets what accept() on `fd` returned, the new descriptor or -1 with errno set, before
// the caller does. Once, before libmilter starts; it must not throw.
void observe_accept(int fd, std::function<void(int)> observer);

// Messages libmilter wanted to log, those not written included (at most ten a minute are).
std::uint64_t libmilter_messages();

}  // namespace ipmit::milter
