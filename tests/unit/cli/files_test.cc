// SPDX-License-Identifier: Apache-2.0
// add -f and validate: mitigations in files.
#include <gtest/gtest.h>

#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

constexpr const char* kTwo = R"(# from the runbook
name: web/shop
targets: [203.0.113.0/24, "user:shop@example.com"]
action: Throttle
rateLimit:
  limit: 100
  period: 1h
  unit: messages
reply: {code: 451, enhancedCode: 4.7.1}
ends: 2026-12-01T00:00:00Z
---
- name: web/two
  targets: [198.51.100.1]
  action: Defer
  reason: second
)";

TEST(MitigationFiles, AreAddedWithTheReasonOfTheCommandWhereTheyHaveNone) {
  Shell shell;
  shell.write("two.yaml", kTwo);
  const auto result = shell.run({"add", "-f", shell.path("two.yaml"), "-r", "runbook 7"});
  ASSERT_EQ(result.code, kOk) << result.err;
  const auto shop = shell.store()->find("web/shop");
  ASSERT_TRUE(shop);
  EXPECT_EQ(shop->reason, "runbook 7");
  EXPECT_EQ(shop->reply_code, "451");
  EXPECT_EQ(shop->rate_limit->burst, 100U);
  EXPECT_EQ(shell.store()->find("web/two")->reason, "second");
  EXPECT_EQ(shell.store()->audit("web/two", 1)[0].why, "runbook 7");
}

TEST(MitigationFiles, OfJsonComeFromStandardInput) {
  Shell shell;
  const auto result = shell.run({"add", "-f", "-", "-r", "x"},
                                R"({"name":"a","targets":["192.0.2.1"],"action":"Reject"})");
  ASSERT_EQ(result.code, kOk) << result.err;
  EXPECT_TRUE(shell.store()->find("a"));
}

TEST(MitigationFiles, WithOneMistakeAddNothing) {
  Shell shell;
  shell.write("bad.yaml", std::string(kTwo) + "  priority: 2000\n");
  const auto result = shell.run({"add", "-f", shell.path("bad.yaml"), "-r", "x"});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_EQ(result.err.rfind(shell.path("bad.yaml") + ":16: priority: ", 0), 0U) << result.err;
  EXPECT_EQ(shell.store()->revision(), 0U);
}

TEST(MitigationFiles, AreCheckedForDanger) {
  Shell shell;
  shell.write("wide.yaml", "name: a\ntargets: [8.0.0.0/7]\naction: Defer\n");
  const auto refused = shell.run({"add", "-f", shell.path("wide.yaml"), "-r", "x"});
  EXPECT_EQ(refused.code, kBadInput);
  EXPECT_EQ(refused.err, shell.path("wide.yaml") +
                             ": a: 8.0.0.0/7: a range wider than /8 hits millions of senders; if "
                             "that is meant, add --force\n");
  EXPECT_EQ(shell.run({"add", "-f", shell.path("wide.yaml"), "-r", "x", "--force"}).code, kOk);
}

struct Row {
  const char* name;
  const char* file;
  const char* text;
  const char* problem;  // after "FILE"; empty: good
  const char* good;     // after "FILE: "
};

// Where the reason is schema's own wording, only the place is held.
TEST(Validate, NamesFileAndLine) {
  Shell shell;
  const Row rows[] = {
      {"mitigations", "a.yaml", kTwo, ":2: reason: ", ""},
      {"an unknown member", "a.yaml",
       "name: a\ntargets: [192.0.2.1]\naction: Defer\nreason: x\nlimt: 3\n", ":5: limt: ", ""},
      {"a bad target in a list", "a.yaml",
       "name: a\naction: Defer\nreason: x\ntargets:\n  - 192.0.2.1\n  - 192.0.2.1/24\n",
       ":6: targets", ""},
      {"a nested member", "a.yaml",
       "name: a\naction: Throttle\nreason: x\ntargets: [192.0.2.1]\nrateLimit:\n  limit: 5\n"
       "  period: soon\n  unit: messages\n",
       ":7: rateLimit.period: ", ""},
      {"not a record", "a.yaml", "- 5\n", ":1: wants a mitigation or exemption, has a single value",
       ""},
      {"nothing", "a.yaml", "# nothing\n", ": no mitigation, exemption or setting in it", ""},
      {"a twin key", "a.yaml", "name: a\nname: b\n", ":2: name: given twice, first in line 1", ""},
      {"loopback", "a.yaml", "name: a\ntargets: [127.0.0.1]\naction: Defer\nreason: x\n",
       ": a: 127.0.0.1: covers loopback", ""},
      {"a good mitigation and exemption", "a.yaml",
       "name: a\ntargets: [192.0.2.1]\naction: Defer\nreason: x\n---\ntarget: 192.0.2.2\nreason: "
       "y\n",
       "", "good, 1 mitigation, 1 exemption\n"},
      {"JSON lines", "a.jsonl",
       "{\"name\":\"a\",\"targets\":[\"192.0.2.1\"],\"action\":\"Defer\",\"reason\":\"x\"}\n\n"
       "{\"name\":\"b\"}\n",
       ":3: ", ""},
      {"good settings", "s.yaml", "log: {level: warn}\n", "", "good, settings\n"},
      {"bad settings", "s.yaml", "log: {level: loud}\n",
       ":1: log.level: wants one of debug, info, warn, error, has \"loud\"", ""},
      {"good bounce rules", "r.yaml", "rules:\n- {id: a, class: soft, text: busy}\n", "",
       "good, 1 bounce rule\n"},
      {"bounce rules with an unknown class", "r.yaml",
       "rules:\n- id: a\n  class: sotf\n  text: busy\n", ":3: \"sotf\" is not a class\n", ""},
      {"bounce rules with an unknown key", "r.yaml",
       "rules:\n- id: a\n  class: soft\n  txt: busy\n", ":4: unknown key \"txt\"\n", ""},
      {"a bounce rule that could never match", "r.yaml",
       "rules:\n- {id: a, class: soft, text: busy}\n- {id: b, class: soft, text: Busy}\n",
       ":3: rule b: text \"Busy\" is not lower case\n", ""},
      {"two bounce rules of one name", "r.yaml",
       "rules:\n- {id: a, class: soft, text: busy}\n- {id: a, class: soft, text: full}\n",
       ":3: rule a: the id is taken by an earlier rule\n", ""},
      {"no bounce rules", "r.yaml", "rules: []\n", ":1: no rules in it\n", ""},
      {"bounce rules that are no YAML", "r.yaml", "rules:\n- id: [a\n", ":", ""},
      {"bounce rules by their name", "bounce_rules.yaml", "rulez: []\n",
       ":1: wants one key \"rules\" with a list\n", ""},
      {"settings by their name", "ipmit.yaml", "lgo: {}\n", ":1: lgo: unknown key", ""},
  };
  for (const Row& row : rows) {
    Shell files;
    files.write(row.file, row.text);
    const std::string path = files.path(row.file);
    const auto result = shell.run({"validate", path});
    if (*row.problem == '\0') {
      EXPECT_EQ(result.code, kOk) << row.name << result.err;
      EXPECT_EQ(result.out, path + ": " + row.good) << row.name;
    } else {
      EXPECT_EQ(result.code, kBadInput) << row.name;
      EXPECT_EQ(result.out, "") << row.name;
      EXPECT_EQ(result.err.rfind(path + row.problem, 0), 0U) << row.name << ": " << result.err;
    }
  }
}

TEST(Validate, TellsOfABadBounceRuleOnce) {
  Shell shell;
  shell.write("r.yaml", "rules:\n- {id: a, class: soft, status: 5.1}\n- {id: b}\n");
  const auto result = shell.run({"validate", shell.path("r.yaml")});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_EQ(result.err, shell.path("r.yaml") + ":3: rule b has no class\n");
}

TEST(Validate, FindsTheShippedBounceRulesGood) {
  const auto result =
      Shell().run({"validate", std::string(IPMIT_SOURCE_DIR) + "/conf/bounce_rules.yaml"});
  EXPECT_EQ(result.code, kOk) << result.err;
}

TEST(Validate, ChecksEveryFileAndSpeaksJson) {
  Shell shell;
  shell.write("good.yaml", "log: {}\n");
  const auto result = shell.run({"validate", "-o", "json", "/none", shell.path("good.yaml")});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_EQ(result.out,
            "{\"file\":\"/none\",\"valid\":false,\"problems\":[\"/none: cannot read: No such file "
            "or directory\"]}\n{\"file\":\"" +
                shell.path("good.yaml") +
                "\",\"valid\":true,\"what\":\"settings\",\"problems\":[]}\n");
}

}  // namespace
}  // namespace ipmit::cli
