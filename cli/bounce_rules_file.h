// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cli/context.h"
#include "common/error.h"
#include "events/bounce_rules.h"
#include "events/rules_file.h"

namespace ipmit::cli {

// Rules as the text of a file; `name` is the file's, for messages. Problem: "NAME:LINE: reason".
common::Result<events::BounceRules> compile_bounce_rules(std::string_view text,
                                                         std::string_view name);

// The rules of `file` ("-": context.in, once), or those built in where it is empty. A file is
// followed while the verb runs; what is wrong with a later version goes to context.err, so
// `context` must outlive the rules. Problem: what is wrong with the first and where.
common::Result<std::unique_ptr<events::RulesFile>> open_bounce_rules(const std::string& file,
                                                                     const Context& context);

}  // namespace ipmit::cli
