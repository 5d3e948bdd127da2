// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "conf/settings.h"

namespace ipmit::conf {

// The settings written out, made from the table of settings_keys.h.

// As ipmit.yaml with a comment on each key; with Settings{} it is conf/ipmit.yaml.
std::string to_sample_yaml(const Settings& settings);
// As plain YAML, for `ipmitctl settings`.
std::string to_yaml(const Settings& settings);
// docs/settings.md and docs/man/ipmit.yaml.5, defaults included.
std::string settings_page();
std::string settings_man_page();

}  // namespace ipmit::conf
