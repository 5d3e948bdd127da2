// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cli/fleet.h"
#include "cli/verb.h"

namespace ipmit::cli {

// --wait[=DURATION] of the verbs that change something: the verb returns when every live milter
// enforces the change.
//
//   auto wait = Wait::prepare(context, options.wait);   // before anything is changed
//   if (!wait) return context.bad_input("add: " + wait.problem());
//   …
//   return wait->finish(context);                       // after all of it is stored
class Wait {
 public:
  static void declare(VerbParser& parser, std::string& text);

  // `text` empty: not asked for. Problem: no duration, or nobody to ask.
  static common::Result<Wait> prepare(const Context& context, const std::string& text);

  // Blocks until every live milter enforces the revision that the store has now, and says so. Else
  // kFailed, naming who does not, when the time is over; nobody alive is a failure too.
  ExitCode finish(Context& context) const;

 private:
  std::optional<FleetView> view_;
  Duration patience_{0};
};

}  // namespace ipmit::cli
