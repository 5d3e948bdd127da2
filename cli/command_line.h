// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/verb.h"

namespace ipmit::cli {

// Parses `arguments` (without the program's name), prepares `context` as the verb needs it, runs
// the verb. A context that has a store already keeps it and its settings: tests bring their own.
// Never throws: errors of the environment become kEnvironment with one line on context.err.
ExitCode run_command_line(const std::vector<std::string>& arguments, std::span<const Verb> verbs,
                          Context& context);

// All verbs and their options as words, for completion: "add" -> {"--action", …}.
struct VerbWords {
  std::string name;
  std::vector<std::string> options;
};
std::vector<VerbWords> verb_words(std::span<const Verb> verbs);

}  // namespace ipmit::cli
