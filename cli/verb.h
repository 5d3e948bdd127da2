// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"

namespace ipmit::cli {

enum class Need { kOptional, kRequired };

// Declares the options of one verb; command_line.cc makes it from CLI11. The variables given must
// outlive the parsing, so a verb keeps them in a shared_ptr that its Run holds. Names as typed:
// "--target", "-n,--most".
class VerbParser {
 public:
  virtual ~VerbParser() = default;

  virtual void positional(std::string_view name, std::string& value, std::string_view help,
                          Need need) = 0;
  virtual void positional(std::string_view name, std::vector<std::string>& values,
                          std::string_view help, Need need) = 0;
  virtual void option(std::string_view names, std::string& value, std::string_view help,
                      Need need = Need::kOptional) = 0;
  // May be given several times, one value each; `many`: several values each ("--to A B").
  virtual void option(std::string_view names, std::vector<std::string>& values,
                      std::string_view help, Need need = Need::kOptional, bool many = false) = 0;
  virtual void number(std::string_view names, std::int64_t& value, std::int64_t least,
                      std::int64_t most, std::string_view help) = 0;
  virtual void flag(std::string_view names, bool& value, std::string_view help) = 0;
  // "--wait" alone sets `value` to `otherwise`, "--wait=10s" to "10s"; the word after it is never
  // taken for its value.
  virtual void optional_value(std::string_view names, std::string& value,
                              std::string_view otherwise, std::string_view help) = 0;
  virtual void examples(std::string_view text) = 0;  // printed below --help
};

using Run = std::function<ExitCode(Context&)>;

// What the runner prepares before it calls a verb.
enum class Needs {
  kNothing,   // neither configuration nor store
  kSettings,  // Context::settings
  kStore,     // and Context::store
};

// A verb of ipmitctl. To add one: write cli/NAME.cc with
//
//   Run declare_name(VerbParser& parser) {
//     struct Options { std::string file; };
//     auto options = std::make_shared<Options>();
//     parser.positional("FILE", options->file, "what to read", Need::kRequired);
//     return [options](Context& context) { return run_name(context, *options); };
//   }
//
// declare `Run declare_name(VerbParser&)` in verbs.h and add a row to the table in verbs.cc. A name
// of two words ("parse log") is a verb below a verb. Global options (--config, -o) need no
// declaration. A verb writes results to context.out and errors through context.bad_input() and its
// siblings; TransientError and PermanentError may fly, the runner makes exit code 3 of them.
struct Verb {
  std::string_view name;
  std::string_view help;  // one line for `ipmitctl --help`
  Needs needs;
  Run (*declare)(VerbParser&);
};

}  // namespace ipmit::cli
