// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"

#include <cstdlib>
#include <ostream>

#include <pwd.h>
#include <unistd.h>

namespace ipmit::cli {

ExitCode Context::bad_input(std::string_view text) const {
  err << "ipmitctl: " << text << '\n';
  return kBadInput;
}

ExitCode Context::failed(std::string_view text) const {
  err << "ipmitctl: " << text << '\n';
  return kFailed;
}

ExitCode Context::environment(std::string_view text) const {
  err << "ipmitctl: " << text << '\n';
  return kEnvironment;
}

void Context::warn(std::string_view text) const {
  err << "ipmitctl: warning: " << text << '\n';
}

std::string current_person() {
  for (const char* variable : {"SUDO_USER", "USER"}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') return value;
  }
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : "uid " + std::to_string(geteuid());
}

}  // namespace ipmit::cli
