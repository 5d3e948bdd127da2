// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "milter/options.h"
#include "milter/session.h"

namespace ipmit::milter {

// Runs libmilter on a listening descriptor: its C callbacks become calls of Session, and what
// Session answers becomes replies and header changes. The only file that knows libmilter
// (tools/check_includes). Exceptions end here: logged, counted, and the message goes on.
struct GlueOptions {
  int listen_fd = -1;
  int backlog = 1024;
  Duration idle_limit{};
  // Called on libmilter's listening thread with each new descriptor, or -1 where accept() failed;
  // must not block or throw.
  std::function<void(int)> on_accept;
};

// Starts libmilter on threads of its own. There is one libmilter in a process and no way to end it
// with sessions open, so this is called once and the threads end with the process; `services` must
// live until end_callbacks() says so, or as long as the process. PermanentError if libmilter
// refuses.
void start_libmilter(const GlueOptions& options, const SessionServices& services);

// From now on no callback does anything, and true: none is still at work, so that `services` may
// go. false: one was, for longer than `patience`. Call it when all sessions are over.
bool end_callbacks(Duration patience);

// "libmilter 1.0.1"
std::string libmilter_version();

}  // namespace ipmit::milter
