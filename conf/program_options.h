// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "conf/settings.h"

namespace ipmit::conf {

// What the long-running programs have in common on their command line: --config FILE,
// --check-config, --help, --version.
struct ProgramInfo {
  std::string name;      // "ipmit-milter"
  std::string purpose;   // one line for --help
  std::string versions;  // more lines for --version, such as a library's; may be empty
  // What this program asks of the settings beyond their ranges: "key: reason", empty when they fit.
  std::function<std::string(const Settings&)> check = {};
};

// The settings to run with, or the exit code to end with at once: 0 after --help, --version and a
// good --check-config; 2 after a bad option or configuration, which was printed on stderr.
std::variant<Settings, int> read_command_line(int argc, char** argv, const ProgramInfo& program);

}  // namespace ipmit::conf
