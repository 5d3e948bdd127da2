// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <string>

#include "common/error.h"
#include "events/bounce_rules.h"

namespace ipmit::cli {

// The rules of `file` ("-": `standard_input`), or those built in where it is empty. Problem: what is
// wrong with them and where.
common::Result<events::BounceRules> load_bounce_rules(const std::string& file,
                                                      std::istream& standard_input);

}  // namespace ipmit::cli
