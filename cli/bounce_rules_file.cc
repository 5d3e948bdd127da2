// SPDX-License-Identifier: Apache-2.0
#include "cli/bounce_rules_file.h"

#include <utility>

#include "cli/records.h"
#include "conf/bounce_rules.h"

namespace ipmit::cli {

common::Result<events::BounceRules> load_bounce_rules(const std::string& file,
                                                      std::istream& standard_input) {
  const std::string name = file.empty() ? "built-in bounce rules" : file;
  std::string text(conf::default_bounce_rules());
  if (!file.empty()) {
    auto read = read_whole(file, standard_input);
    if (!read) return common::Problem{read.problem()};
    text = *std::move(read);
  }
  auto rules = conf::parse_bounce_rules(text, name);
  if (!rules) return common::Problem{rules.problem()};
  auto compiled = events::BounceRules::compile(*std::move(rules));
  if (!compiled) return common::Problem{name + ": " + compiled.problem()};
  return compiled;
}

}  // namespace ipmit::cli
