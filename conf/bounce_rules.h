// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "common/error.h"
#include "policy/bounce_rule.h"

namespace ipmit::conf {

// Rules in the form of conf/bounce_rules.yaml (docs/bounce-rules.md). `name` is the file's, for
// messages. Problem: "NAME:LINE: reason" for anything that is not YAML, unknown keys, classes and
// stages, values of the wrong kind, an empty list. events/bounce_rules.h checks the contents and
// compiles them.
common::Result<std::vector<policy::BounceRule>> parse_bounce_rules(std::string_view text,
                                                                   std::string_view name);

// conf/bounce_rules.yaml as it was when the program was built: what programs use without a file.
std::string_view default_bounce_rules();

}  // namespace ipmit::conf
