// SPDX-License-Identifier: Apache-2.0
#include "conf/settings.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "conf/settings_keys.h"
#include "conf/settings_text.h"

namespace ipmit::conf {
namespace {

Settings parse(const std::string& text) {
  auto settings = parse_settings(text, "ipmit.yaml");
  EXPECT_TRUE(settings) << settings.problem();
  return settings ? *std::move(settings) : Settings{};
}

TEST(Settings, AnEmptyFileAndNoFileAreTheDefaults) {
  for (const char* text : {"", "# nothing\n", "---\n", "milter:\n", "milter: {}\n"})
    EXPECT_EQ(to_yaml(parse(text)), to_yaml(Settings{})) << text;
}

TEST(Settings, EveryKindOfValueIsRead) {
  const Settings settings = parse(R"(
store: postgresql://ipmit@db.example/ipmit
cache: redis+sentinel://s1.example,s2.example/mail
cache_password_file: /etc/ipmit/redis.pw
log: {level: debug}
milter:
  socket: inet:127.0.0.1:8891
  socket_mode: "0620"
  socket_group: postfix
  backlog: 65535
  metrics_listen: "[::1]:9471"
  drain_grace: 1m30s
  probe_every: 0s
  snapshot_file: ""
  trace_header: false
  protect_postmaster: false
  reentry_ports: [10026, 10027]
  never_match_networks: [10.0.0.0/8, "2001:db8::/32"]
  reroute_transports: [slow, out-2]
  fallback:
    no_rules: tempfail
    refusals: accept
  limiter: {redis_deadline: 35ms, most_keys: 2000}
agent: {metrics_listen: ""}
)");
  EXPECT_EQ(settings.store, "postgresql://ipmit@db.example/ipmit");
  EXPECT_EQ(settings.cache, "redis+sentinel://s1.example,s2.example/mail");
  EXPECT_EQ(settings.log.level, common::LogLevel::kDebug);
  const MilterSettings& milter = settings.milter;
  EXPECT_EQ(milter.socket, "inet:127.0.0.1:8891");
  EXPECT_EQ(milter.socket_mode, 0620U);
  EXPECT_EQ(milter.socket_group, "postfix");
  EXPECT_EQ(milter.backlog, 65535U);
  EXPECT_EQ(milter.metrics_listen, "[::1]:9471");
  EXPECT_EQ(milter.drain_grace, std::chrono::seconds(90));
  EXPECT_EQ(milter.probe_every, std::chrono::seconds(0));
  EXPECT_EQ(milter.snapshot_file, "");
  EXPECT_FALSE(milter.trace_header);
  EXPECT_TRUE(milter.protect_null_sender);
  EXPECT_FALSE(milter.protect_postmaster);
  EXPECT_EQ(milter.reentry_ports, (std::vector<std::uint16_t>{10026, 10027}));
  ASSERT_EQ(milter.never_match_networks.size(), 2U);
  EXPECT_EQ(milter.never_match_networks[1].to_string(), "2001:db8::/32");
  EXPECT_EQ(milter.reroute_transports, (std::vector<std::string>{"slow", "out-2"}));
  EXPECT_EQ(milter.fallback.no_rules, NoRules::kTempfail);
  EXPECT_EQ(milter.fallback.refusals, WhenStale::kAccept);
  EXPECT_EQ(milter.fallback.limits, WhenStale::kEnforce);
  EXPECT_EQ(milter.limiter.redis_deadline, std::chrono::milliseconds(35));
  EXPECT_EQ(settings.agent.metrics_listen, "");
}

TEST(Settings, TellWhichChangesNeedARestart) {
  const Settings before;
  Settings now;
  EXPECT_THAT(keys_that_need_restart(before, now, "milter"), testing::IsEmpty());
  now.log.level = common::LogLevel::kDebug;
  now.milter.trace_header = false;
  EXPECT_THAT(keys_that_need_restart(before, now, "milter"), testing::IsEmpty()) << "by reload";
  now.store = "postgresql:///ipmit";
  now.milter.limiter.most_keys = 5'000;
  now.controller.metrics_listen = "";
  EXPECT_THAT(keys_that_need_restart(before, now, "milter"),
              testing::ElementsAre("store", "milter.limiter.most_keys"));
  EXPECT_THAT(keys_that_need_restart(before, now, "controller"),
              testing::ElementsAre("store", "controller.metrics_listen"));
}

TEST(Settings, LoopbackNeverMatchesByDefault) {
  const auto networks = MilterSettings{}.never_match_networks;
  ASSERT_EQ(networks.size(), 2U);
  EXPECT_EQ(networks[0].to_string(), "127.0.0.0/8");
  EXPECT_EQ(networks[1].to_string(), "::1");
}

// One row for each way a person can get it wrong; the whole message.
TEST(Settings, RefusesWithFileLineKeyAndReason) {
  const struct {
    const char* text;
    const char* want;
  } rows[] = {
      {"stor: x\n", "ipmit.yaml:1: stor: unknown key"},
      {"milter:\n  sokket: x\n", "ipmit.yaml:2: milter.sokket: unknown key"},
      {"socket_mode: \"0660\"\n",
       "ipmit.yaml:1: socket_mode: unknown key, did you mean milter.socket_mode?"},
      {"milter: 5\n", "ipmit.yaml:1: milter: wants keys below it, has a single value"},
      {"- a\n", "ipmit.yaml:1: wants keys, has a list"},
      {"store: a\nstore: b\n", "ipmit.yaml:2: store: given twice, first in line 1"},
      {"a: 1\n---\nb: 1\n", "ipmit.yaml:3: a second document; the file has one"},
      {"store: mysql://x\n",
       "ipmit.yaml:1: store: wants sqlite:/... or postgresql://..., has \"mysql://x\""},
      {"store: \"\"\n", "ipmit.yaml:1: store: wants sqlite:/... or postgresql://..., has \"\""},
      {"store:\n",
       "ipmit.yaml:1: store: wants a text (URL), has nothing; leave the key out for its default, "
       "or "
       "write \"\" for an empty text"},
      {"store: [a]\n", "ipmit.yaml:1: store: wants a text (URL), has a list"},
      {"store: sqlite:/a\n\n b\n",
       "ipmit.yaml:1: store: holds a line break or another control character"},
      {"store: \"sqlite:/a\\x12\"\n",
       "ipmit.yaml:1: store: holds a line break or another control character"},
      {"milter:\n  reroute_transports: [slow, \"b\\n\"]\n",
       "ipmit.yaml:2: milter.reroute_transports: holds a line break or another control character"},
      {"\"sto\\nre\": x\n", "ipmit.yaml:1: sto?re: unknown key"},
      {"cache: rediss://x\n",
       "ipmit.yaml:1: cache: wants redis://... or redis+unix://... or redis+sentinel://..., has "
       "\"rediss://x\""},
      {"cache_password_file: pw\ncache: redis://x\n",
       "ipmit.yaml:1: cache_password_file: wants an absolute path, has \"pw\""},
      {"cache_password_file: /pw\n",
       "ipmit.yaml:1: cache_password_file: there is no cache it could be for"},
      {"log:\n  level: loud\n",
       "ipmit.yaml:2: log.level: wants one of debug, info, warn, error, has \"loud\""},
      {"milter:\n  backlog: many\n",
       "ipmit.yaml:2: milter.backlog: wants a whole number, has \"many\""},
      {"milter:\n  backlog: \"10\"\n",
       "ipmit.yaml:2: milter.backlog: wants a whole number without quotes, has \"10\""},
      {"milter:\n  backlog: 0\n",
       "ipmit.yaml:2: milter.backlog: 0 is out of range, allowed is 1 to 65535"},
      {"milter:\n  backlog: 65536\n",
       "ipmit.yaml:2: milter.backlog: 65536 is out of range, allowed is 1 to 65535"},
      {"milter:\n  backlog: -1\n",
       "ipmit.yaml:2: milter.backlog: wants a whole number, has \"-1\""},
      {"milter:\n  drain_grace: 60\n",
       "ipmit.yaml:2: milter.drain_grace: wants a duration with its unit such as 20ms, 5s or "
       "1h30m, "
       "has \"60\""},
      {"milter:\n  drain_grace: 3h\n",
       "ipmit.yaml:2: milter.drain_grace: 3h is out of range, allowed is 0s to 2h"},
      {"milter:\n  trace_header: yes\n",
       "ipmit.yaml:2: milter.trace_header: wants true or false, has \"yes\""},
      {"milter:\n  trace_header: \"true\"\n",
       "ipmit.yaml:2: milter.trace_header: wants true or false without quotes, has \"true\""},
      {"milter:\n  socket: /run/m\n",
       "ipmit.yaml:2: milter.socket: '/run/m' is not unix:/path, inet:host:port or "
       "inet6:[host]:port"},
      {"milter:\n  socket_mode: 660\n",
       "ipmit.yaml:2: milter.socket_mode: wants four octal digits such as \"0660\", has \"660\""},
      {"milter:\n  socket_mode: \"0980\"\n",
       "ipmit.yaml:2: milter.socket_mode: wants four octal digits such as \"0660\", has \"0980\""},
      {"milter:\n  socket_group: a b\n",
       "ipmit.yaml:2: milter.socket_group: \"a b\" is no group name"},
      {"milter:\n  metrics_listen: 9471\n",
       "ipmit.yaml:2: milter.metrics_listen: wants HOST:PORT such as 127.0.0.1:9471, has \"9471\""},
      {"milter:\n  metrics_listen: \"localhost:9471\"\n",
       "ipmit.yaml:2: milter.metrics_listen: \"localhost\" is no numeric address (names are not "
       "looked up here)"},
      {"milter:\n  metrics_listen: \"::1:9471\"\n",
       "ipmit.yaml:2: milter.metrics_listen: an IPv6 address stands in brackets: [::1]:9471"},
      {"milter:\n  metrics_listen: \"127.0.0.1:65536\"\n",
       "ipmit.yaml:2: milter.metrics_listen: \"65536\" is no port (0 to 65535)"},
      {"milter:\n  reentry_ports: 10026\n",
       "ipmit.yaml:2: milter.reentry_ports: wants a list of ports such as [10025], has a single "
       "value"},
      {"milter:\n  reentry_ports: [10026, 0]\n",
       "ipmit.yaml:2: milter.reentry_ports: item 2: \"0\" is no port (1 to 65535)"},
      {"milter:\n  reentry_ports: [10026, 10026]\n",
       "ipmit.yaml:2: milter.reentry_ports: item 2: 10026 is there already"},
      {"milter:\n  reroute_transports: [\"slow:\"]\n",
       "ipmit.yaml:2: milter.reroute_transports: item 1: \"slow:\" is no transport name of "
       "master.cf "
       "(a-z, 0-9 and '-')"},
      {"milter:\n  never_match_networks: [[10.0.0.0/8]]\n",
       "ipmit.yaml:2: milter.never_match_networks: item 1: wants a single value, has a list"},
      {"milter:\n  fallback:\n    limits: reject\n",
       "ipmit.yaml:3: milter.fallback.limits: wants one of enforce, accept, tempfail, has "
       "\"reject\""},
      {"milter:\n  first_retry: 1m\n",
       "ipmit.yaml:2: milter.first_retry: 1m is longer than most_retry, 2s"},
  };
  for (const auto& row : rows) {
    const auto settings = parse_settings(row.text, "ipmit.yaml");
    ASSERT_FALSE(settings) << row.text;
    EXPECT_EQ(settings.problem(), row.want) << row.text;
  }
}

TEST(Settings, ANetworkWithHostBitsIsRefusedWithTheReasonOfItsParser) {
  const auto settings =
      parse_settings("milter:\n  never_match_networks: [10.0.0.1/8]\n", "ipmit.yaml");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.problem().rfind(
                "ipmit.yaml:2: milter.never_match_networks: item 1: \"10.0.0.1/8\": ", 0),
            0U)
      << settings.problem();
}

TEST(Settings, AllMistakesAreToldAtOnce) {
  const auto settings =
      parse_settings("x: 1\nmilter:\n  backlog: 0\n  fallback: {no_rules: 7}\n", "f");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.problem(),
            "f:1: x: unknown key\n"
            "f:3: milter.backlog: 0 is out of range, allowed is 1 to 65535\n"
            "f:4: milter.fallback.no_rules: wants one of accept, tempfail, has \"7\"");
}

class SettingsFile : public testing::Test {
 protected:
  SettingsFile() {
    char name[] = "/tmp/ipmit-settings-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~SettingsFile() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
};

TEST_F(SettingsFile, IsReadAndNamed) {
  const auto path = directory_ / "a.yaml";
  std::ofstream(path) << "log: {level: warn}\n";
  const auto settings = load_settings(path);
  ASSERT_TRUE(settings) << settings.problem();
  EXPECT_EQ(settings->log.level, common::LogLevel::kWarn);
  EXPECT_EQ(settings->file, path.string());
}

TEST_F(SettingsFile, AnEmptyFileIsTheDefaults) {
  const auto path = directory_ / "empty.yaml";
  std::ofstream(path).flush();
  const auto settings = load_settings(path);
  ASSERT_TRUE(settings) << settings.problem();
  EXPECT_EQ(to_yaml(*settings), to_yaml(Settings{}));
}

TEST_F(SettingsFile, ThatWasNamedMustExist) {
  const auto path = directory_ / "none.yaml";
  const auto settings = load_settings(path);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.problem(), path.string() + ": cannot read: No such file or directory");
}

TEST_F(SettingsFile, ThatIsADirectoryIsRefused) {
  const auto settings = load_settings(directory_);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.problem(), directory_.string() + ": is a directory");
}

TEST_F(SettingsFile, LargerThanAMebibyteIsRefused) {
  const auto path = directory_ / "large.yaml";
  std::ofstream(path) << std::string((1 << 20) + 1, '#');
  const auto settings = load_settings(path);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.problem(), path.string() + ": larger than 1 MiB");
}

}  // namespace
}  // namespace ipmit::conf
