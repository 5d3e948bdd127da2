// SPDX-License-Identifier: Apache-2.0
#include "conf/settings_text.h"

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "conf/settings_keys.h"

namespace ipmit::conf {
namespace {

std::string read(const std::string& file) {
  std::ifstream in(std::string(IPMIT_SOURCE_DIR) + "/" + file);
  EXPECT_TRUE(in) << file;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(SettingsText, TheSampleFileIsTheDefaults) {
  EXPECT_EQ(read("conf/ipmit.yaml"), to_sample_yaml(Settings{}))
      << "build/bin/ipmitctl settings --sample > conf/ipmit.yaml";
  const auto settings = parse_settings(read("conf/ipmit.yaml"), "ipmit.yaml");
  ASSERT_TRUE(settings) << settings.problem();
  EXPECT_EQ(to_yaml(*settings), to_yaml(Settings{}));
}

TEST(SettingsText, TheManualIsMadeFromTheTable) {
  EXPECT_EQ(read("docs/settings.md"), settings_page())
      << "build/bin/ipmitctl settings --markdown > docs/settings.md";
  EXPECT_EQ(read("docs/man/ipmit.yaml.5"), settings_man_page())
      << "build/bin/ipmitctl settings --man > docs/man/ipmit.yaml.5";
}

TEST(SettingsText, EveryKeyIsListedOnceWithItsMeaning) {
  Settings settings;
  std::set<std::string> paths;
  std::set<std::string> sections;
  for (const SettingSection& section : setting_sections()) sections.insert(section.path);
  const std::string page = settings_page();
  for (const SettingKey& key : setting_keys(settings)) {
    EXPECT_TRUE(paths.insert(key.path()).second) << key.path();
    EXPECT_EQ(sections.count(key.section), 1U) << key.path();
    EXPECT_FALSE(key.help.empty()) << key.path();
    EXPECT_FALSE(key.value.type.empty()) << key.path();
    EXPECT_NE(page.find("| `" + key.name + "` |"), std::string::npos) << key.path();
  }
}

// What is printed is what is read: for defaults and for values that need care in YAML.
TEST(SettingsText, WhatIsWrittenIsReadBack) {
  Settings settings;
  settings.store = "sqlite:/var/lib/with blank and \"quote\".db";
  settings.milter.socket_mode = 07;
  settings.milter.pid_file = "/run/a: b#c";
  settings.milter.reentry_ports = {1, 65535};
  settings.milter.never_match_networks.clear();
  settings.milter.reroute_transports = {"true", "-", "7"};
  settings.milter.metrics_listen = "[::1]:9";
  settings.milter.limiter.redis_deadline = std::chrono::milliseconds(1500);
  const std::string text = to_yaml(settings);
  const auto again = parse_settings(text, "f");
  ASSERT_TRUE(again) << again.problem() << "\n" << text;
  EXPECT_EQ(to_yaml(*again), text);
  EXPECT_EQ(again->store, settings.store);
  EXPECT_EQ(again->milter.socket_mode, 07U);
  EXPECT_EQ(again->milter.reroute_transports, settings.milter.reroute_transports);
}

}  // namespace
}  // namespace ipmit::conf
