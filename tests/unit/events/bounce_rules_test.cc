// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_rules.h"

#include <gtest/gtest.h>

#include "events/bounce_phrases.h"
#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

using policy::BounceClass;
using policy::BounceRule;
using policy::SmtpStage;

BounceRule rule(std::string id, BounceClass bounce_class) {
  BounceRule out;
  out.id = std::move(id);
  out.bounce_class = bounce_class;
  return out;
}

BounceRules compiled(std::vector<BounceRule> rules) {
  auto result = BounceRules::compile(std::move(rules));
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.problem());
  return *std::move(result);
}

TEST(PhraseIndex, FindsEveryOccurrenceAlsoInsideOthers) {
  const PhraseIndex index({"he", "she", "hers", "his", "he"});
  std::vector<std::uint32_t> found;
  index.search("ushers", [&](std::uint32_t id, std::size_t) {
    found.push_back(id);
    return false;
  });
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (std::vector<std::uint32_t>{0, 1, 2, 4}));
  found.clear();
  index.search("\xff\x00q", [&](std::uint32_t id, std::size_t) {
    found.push_back(id);
    return false;
  });
  EXPECT_TRUE(found.empty());
  EXPECT_TRUE(index.occurs_in("nHE"));
  EXPECT_FALSE(index.occurs_in("nh e"));
  EXPECT_EQ(index.first("his hers").phrase, 0U);
  EXPECT_EQ(index.first("his hers").end, 6U);
}

TEST(BounceRules, WordingWinsOverCodesWhateverTheOrder) {
  BounceRule code = rule("code", BounceClass::kHardUser);
  code.status = {"5.1.1"};
  BounceRule text = rule("text", BounceClass::kThrottle);
  text.text = {"too many recipients this hour"};
  const BounceRules rules = compiled({code, text});
  BounceFacts facts;
  facts.status = "5.1.1";
  facts.text = "550 5.1.1 sent to too many recipients this hour";
  EXPECT_EQ(rules.classify(facts).rule, "text");
  facts.text = "550 5.1.1 no";
  EXPECT_EQ(rules.classify(facts).rule, "code");
  facts.more_text = "Too many\n recipients  this hour";
  EXPECT_EQ(rules.classify(facts).rule, "text");
  facts = {};
  EXPECT_EQ(rules.classify(facts).bounce_class, BounceClass::kUnclear);
  EXPECT_EQ(rules.classify(facts).rule, "");
}

TEST(BounceRules, EveryConditionMustHold) {
  BounceRule all = rule("all", BounceClass::kReputation);
  all.text = {"client [*] blocked"};
  all.not_text = {"temporarily"};
  all.url = {"lists.example/"};
  all.host = {"example.net"};
  all.status = {"5.7.*", "none"};
  all.reply = {"55*"};
  all.stage = {SmtpStage::kMail};
  const BounceRules rules = compiled({all});
  struct Row {
    const char* name;
    const char *text, *status, *reply, *host;
    SmtpStage stage;
    bool holds;
  };
  const std::string far(kMaxDiagnostic, 'x');
  const std::string gap = "client [" + std::string(81, '1') + "] blocked https://lists.example/1";
  const Row rows[] = {
      {"all", "Client [192.0.2.1] blocked, HTTPS://Lists.example/1", "5.7.1", "554",
       "mx.example.net", SmtpStage::kMail, true},
      {"the host itself", "client [x] blocked https://lists.example/1", "5.7.1", "554",
       "example.net", SmtpStage::kMail, true},
      {"no status", "client [x] blocked https://lists.example/1", "", "554", "example.net",
       SmtpStage::kMail, true},
      {"other status", "client [x] blocked https://lists.example/1", "5.1.1", "554", "example.net",
       SmtpStage::kMail, false},
      {"other reply", "client [x] blocked https://lists.example/1", "5.7.1", "450", "example.net",
       SmtpStage::kMail, false},
      {"other stage", "client [x] blocked https://lists.example/1", "5.7.1", "554", "example.net",
       SmtpStage::kRcpt, false},
      {"only the end of a label", "client [x] blocked https://lists.example/1", "5.7.1", "554",
       "badexample.net", SmtpStage::kMail, false},
      {"excluded word", "client [x] blocked temporarily https://lists.example/1", "5.7.1", "554",
       "example.net", SmtpStage::kMail, false},
      {"url as plain word", "client [x] blocked lists.example/1", "5.7.1", "554", "example.net",
       SmtpStage::kMail, false},
      {"text in the url only", "https://lists.example/client[x]blocked", "5.7.1", "554",
       "example.net", SmtpStage::kMail, false},
      {"gap too wide", gap.c_str(), "5.7.1", "554", "example.net", SmtpStage::kMail, false},
      {"pieces in the wrong order", "] blocked client [x https://lists.example/1", "5.7.1", "554",
       "example.net", SmtpStage::kMail, false},
  };
  for (const Row& row : rows) {
    BounceFacts facts;
    facts.text = row.text;
    facts.status = row.status;
    facts.reply = row.reply;
    facts.stage = row.stage;
    facts.hosts = {"other.example", row.host};
    EXPECT_EQ(!rules.classify(facts).rule.empty(), row.holds) << row.name;
  }
}

TEST(BounceRules, AWordingThatNothingBearsOutIsUnclear) {
  BounceRule user = rule("user", BounceClass::kHardUser);
  user.text = {"user unknown"};
  user.confirm_status = {"*.1.*"};
  user.confirm_stage = {SmtpStage::kRcpt};
  const BounceRules rules = compiled({user});
  const auto class_of = [&](const char* status, SmtpStage stage) {
    BounceFacts facts;
    facts.text = "user unknown";
    facts.status = status;
    facts.stage = stage;
    return rules.classify(facts).bounce_class;
  };
  EXPECT_EQ(class_of("5.1.1", SmtpStage::kData), BounceClass::kHardUser);
  EXPECT_EQ(class_of("5.0.0", SmtpStage::kRcpt), BounceClass::kHardUser);
  EXPECT_EQ(class_of("5.0.0", SmtpStage::kData), BounceClass::kUnclear);
  EXPECT_EQ(class_of("", SmtpStage::kUnknown), BounceClass::kUnclear);
}

TEST(BounceRules, AlternativesAreTextsLikeOthers) {
  BounceRule full = rule("full", BounceClass::kSoft);
  full.text = {"{user|mailbox} {is |}full", "out of {disk |}space"};
  full.not_text = {"not {yet |}full", "{moon|stomach} is full"};
  const BounceRules rules = compiled({full});
  const auto matches = [&](const char* text) {
    BounceFacts facts;
    facts.text = text;
    return !rules.classify(facts).rule.empty();
  };
  EXPECT_TRUE(matches("552 Mailbox is full"));
  EXPECT_TRUE(matches("552 User full"));
  EXPECT_TRUE(matches("552 Out of disk space"));
  EXPECT_FALSE(matches("552 Mailbox was full"));
  EXPECT_FALSE(matches("552 Mailbox is full, but not yet full"));
  EXPECT_FALSE(matches("552 Mailbox is full, and the moon is full"));
}

TEST(BounceRules, RefusesRulesThatCouldNeverMatchAndSaysWhere) {
  const auto problem_of = [](BounceRule bad) {
    bad.line = 7;
    const auto result = BounceRules::compile({bad});
    return result.ok() ? std::string() : result.problem();
  };
  BounceRule bad = rule("r", BounceClass::kSoft);
  EXPECT_EQ(problem_of(bad), "7: rule r: no condition");
  bad.text = {"Upper"};
  EXPECT_NE(problem_of(bad).find("not lower case"), std::string::npos);
  bad.text = {"two  blanks"};
  EXPECT_NE(problem_of(bad).find("two blanks"), std::string::npos);
  bad.text = {"*"};
  EXPECT_NE(problem_of(bad).find("empty text"), std::string::npos);
  bad.text = {"{user|mailbox full"};
  EXPECT_NE(problem_of(bad).find("braces are open"), std::string::npos);
  bad.text = {"{user|mailbox} {is|} full"};
  EXPECT_NE(problem_of(bad).find("\"user  full\" has two blanks"), std::string::npos);
  bad.text = {};
  bad.status = {"5.1"};
  EXPECT_NE(problem_of(bad).find("\"5.1\" is not a code"), std::string::npos);
  bad.status = {};
  bad.reply = {"abc"};
  EXPECT_NE(problem_of(bad).find("\"abc\""), std::string::npos);
  bad.reply = {"550"};
  EXPECT_EQ(problem_of(bad), "");
  bad.id.clear();
  EXPECT_NE(problem_of(bad).find("no id"), std::string::npos);
  bad.id = "r";
  const auto twice = BounceRules::compile({bad, bad});
  ASSERT_FALSE(twice.ok());
  EXPECT_NE(twice.problem().find("taken"), std::string::npos);
}

}  // namespace
}  // namespace ipmit::events
