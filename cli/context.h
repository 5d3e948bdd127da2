// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "conf/settings.h"
#include "schema/store.h"

namespace ipmit::cli {

using common::Duration;
using common::TimePoint;

// What ipmitctl leaves with. Scripts rely on it: docs/man/ipmitctl.8.
enum ExitCode : int {
  kOk = 0,
  kFailed = 1,    // understood, but it could not be done: not found, exists already, doctor: FAIL
  kBadInput = 2,  // command line, configuration or file refused; nothing was changed
  kEnvironment = 3,  // store or network not reachable; the same call may work later
};

enum class Format { kText, kJson };

// What a verb works with: streams, clock, the person who calls, settings and store. The runner
// fills in what the verb's Verb::needs asks for before it is called; tests fill it in themselves.
struct Context {
  Context(std::istream& input, std::ostream& results, std::ostream& errors)
      : in(input), out(results), err(errors) {}

  std::istream& in;
  std::ostream& out;  // results
  std::ostream& err;  // warnings and errors
  std::function<TimePoint()> now = common::now;
  std::string who;  // for the audit
  Format format = Format::kText;
  std::optional<std::filesystem::path> config;  // --config
  conf::Settings settings;
  std::unique_ptr<schema::Store> store;

  bool json() const { return format == Format::kJson; }
  schema::ChangeNote note(std::string_view why) const { return {who, std::string(why)}; }

  // Each prints "ipmitctl: TEXT" to err and returns its exit code.
  ExitCode bad_input(std::string_view text) const;
  ExitCode failed(std::string_view text) const;
  ExitCode environment(std::string_view text) const;
  void warn(std::string_view text) const;  // "ipmitctl: warning: TEXT"
};

// Who is at the terminal: $SUDO_USER, $USER, the login name of the process, else "uid N".
std::string current_person();

}  // namespace ipmit::cli
