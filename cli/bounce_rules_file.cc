// SPDX-License-Identifier: Apache-2.0
#include "cli/bounce_rules_file.h"

#include <utility>

#include "cli/records.h"
#include "conf/bounce_rules.h"

namespace ipmit::cli {

using events::BounceRules;
using events::RulesFile;

common::Result<BounceRules> compile_bounce_rules(std::string_view text, std::string_view name) {
  auto rules = conf::parse_bounce_rules(text, name);
  if (!rules) return common::Problem{rules.problem()};
  auto compiled = BounceRules::compile(*std::move(rules));
  if (!compiled) return common::Problem{std::string(name) + ":" + compiled.problem()};
  return compiled;
}

common::Result<std::unique_ptr<RulesFile>> open_bounce_rules(const std::string& file,
                                                             const Context& context) {
  if (!file.empty() && file != "-")
    return RulesFile::open(
        file, [file](std::string_view text) { return compile_bounce_rules(text, file); },
        [&context](const std::string& problem) {
          context.warn(problem + "; the rules before stay in force");
        });
  std::string text(conf::default_bounce_rules());
  if (file == "-") {
    auto read = read_whole(file, context.in);
    if (!read) return common::Problem{read.problem()};
    text = *std::move(read);
  }
  auto rules = compile_bounce_rules(text, file.empty() ? "built-in bounce rules" : file);
  if (!rules) return common::Problem{rules.problem()};
  return std::make_unique<RulesFile>(*std::move(rules));
}

}  // namespace ipmit::cli
