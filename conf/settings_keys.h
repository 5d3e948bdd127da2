// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "conf/setting_value.h"
#include "conf/settings.h"

namespace ipmit::conf {

// When a changed value is taken over.
enum class TakesEffect : std::uint8_t { kReload, kRestart };  // SIGHUP · restart

// One key of ipmit.yaml with all there is to say about it. The one table: reading, the sample
// file, docs/settings.md and ipmit.yaml(5) go by it, so they cannot differ.
struct SettingKey {
  std::string section;  // "" at the top, "milter", "milter.fallback"
  std::string name;
  std::string help;  // one or two sentences, without the type, range and default
  TakesEffect takes_effect;
  SettingValue value;

  std::string path() const { return section.empty() ? name : section + "." + name; }
};

struct SettingSection {
  std::string path;
  std::string help;
};

// Keys bound to the members of `settings`, which must outlive them; sections in the order of the
// file, each before its keys.
std::vector<SettingKey> setting_keys(Settings& settings);
const std::vector<SettingSection>& setting_sections();

// Paths of the keys that differ and count only at a start, among those at the top and in `section`
// and its subsections: what a reload could not take over.
std::vector<std::string> keys_that_need_restart(Settings before, Settings now,
                                                std::string_view section);

}  // namespace ipmit::conf
