// SPDX-License-Identifier: Apache-2.0
#include "policy/mitigation.h"

#include <functional>

#include <gtest/gtest.h>

#include "tests/unit/policy/builders.h"

namespace ipmit::policy {
namespace {

TEST(Names, ParseInAnyCaseAndPrintOneWay) {
  for (const Action action : {Action::kObserve, Action::kReroute, Action::kThrottle, Action::kDefer,
                              Action::kQuarantine, Action::kReject, Action::kDiscard})
    EXPECT_EQ(parse_action(to_string(action)), action);
  for (const Mode mode : {Mode::kEnforce, Mode::kDryRun})
    EXPECT_EQ(parse_mode(to_string(mode)), mode);
  for (const Origin origin : {Origin::kManual, Origin::kDetector, Origin::kDatabase, Origin::kFeed})
    EXPECT_EQ(parse_origin(to_string(origin)), origin);
  for (const RateUnit unit : {RateUnit::kMessages, RateUnit::kRecipients})
    EXPECT_EQ(parse_rate_unit(to_string(unit)), unit);
  for (const RateKey key : {RateKey::kTarget, RateKey::kAddress})
    EXPECT_EQ(parse_rate_key(to_string(key)), key);
  EXPECT_EQ(parse_action("rEJECT"), Action::kReject);
  EXPECT_EQ(parse_mode("dryrun"), Mode::kDryRun);
  EXPECT_EQ(to_string(Mode::kDryRun), "DryRun");
  EXPECT_EQ(parse_action(""), std::nullopt);
  EXPECT_EQ(parse_action("Rejects"), std::nullopt);
  EXPECT_EQ(parse_rate_unit("message"), std::nullopt);
}

TEST(Action, OrderIsStrictness) {
  EXPECT_LT(Action::kObserve, Action::kReroute);
  EXPECT_LT(Action::kReroute, Action::kThrottle);
  EXPECT_LT(Action::kThrottle, Action::kDefer);
  EXPECT_LT(Action::kDefer, Action::kQuarantine);
  EXPECT_LT(Action::kQuarantine, Action::kReject);
  EXPECT_LT(Action::kReject, Action::kDiscard);
}

TEST(Target, ParsesWithAndWithoutTag) {
  const struct {
    const char* text;
    const char* want;     // null: refused
    const char* problem;  // part of the reason
  } kRows[] = {
      {"203.0.113.9", "203.0.113.9", nullptr},
      {"203.0.113.0/24", "203.0.113.0/24", nullptr},
      {"[203.0.113.9]", "203.0.113.9", nullptr},
      {"2001:DB8::/64", "2001:db8::/64", nullptr},
      {"IPv6:2001:db8::1", "2001:db8::1", nullptr},
      {"ip:203.0.113.9", "203.0.113.9", nullptr},
      {"IP:2001:db8::1", "2001:db8::1", nullptr},
      {"Example.com", "domain:example.com", nullptr},
      {"*.example.com", "domain:*.example.com", nullptr},
      {"domain:Example.com.", "domain:example.com", nullptr},
      {"domain:localhost", "domain:localhost", nullptr},
      {"domain:203.0.113.9", "domain:203.0.113.9", nullptr},
      {"domain:[203.0.113.9]", "domain:[203.0.113.9]", nullptr},
      {"user:Alice@Example.com", "user:alice@example.com", nullptr},
      {"USER:alice", "user:alice", nullptr},
      {"user:domain:x", "user:domain:x", nullptr},
      {"", nullptr, "write ip:, domain: or user:"},
      {"localhost", nullptr, "write ip:, domain: or user:"},
      {"alice@example.com", nullptr, "write ip:, domain: or user:"},
      {"203.0.113.9/24", nullptr, "did you mean 203.0.113.0/24"},
      {"203.0.113.999", nullptr, "not an IP address"},
      {"0.0.0.0/0", nullptr, "every address"},
      {"example.com/24", nullptr, "not an IP address"},
      {"ip:example.com", nullptr, "not an IP address"},
      {"domain:", nullptr, "empty name"},
      {"domain:a..b", nullptr, "empty label"},
      {"user:", nullptr, "empty SASL user"},
      {"user: alice", nullptr, "blanks"},
      {"user:a\tb", nullptr, "control"},
      {"user:\xff", nullptr, "UTF-8"},
      {"mailto:alice", nullptr, "not an IP address"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.text);
    const auto got = Target::parse(row.text);
    ASSERT_EQ(got.ok(), row.want != nullptr);
    if (got) {
      EXPECT_EQ(got->to_string(), row.want);
      EXPECT_EQ(*Target::parse(got->to_string()), *got);
    } else {
      EXPECT_NE(got.problem().find(row.problem), std::string::npos) << got.problem();
    }
  }
}

TEST(SaslUser, HasLimits) {
  EXPECT_TRUE(parse_sasl_user(std::string(255, 'a')).ok());
  EXPECT_FALSE(parse_sasl_user(std::string(256, 'a')).ok());
  EXPECT_EQ(parse_sasl_user("J\u00dcRGEN")->name, "j\u00dcrgen");  // ASCII letters only
}

TEST(Mitigation, IsActiveFromItsStartToJustBeforeItsEnd) {
  Mitigation mitigation = deferral("d", {"203.0.113.9"});
  EXPECT_TRUE(mitigation.is_active(at(0)));
  mitigation.starts = at(10);
  mitigation.ends = at(20);
  EXPECT_FALSE(mitigation.is_active(at(9)));
  EXPECT_TRUE(mitigation.is_active(at(10)));
  EXPECT_TRUE(mitigation.is_active(at(19)));
  EXPECT_FALSE(mitigation.is_active(at(20)));
}

TEST(Mitigation, CanonicalFormIsSortedWithoutTwins) {
  Mitigation a = deferral("d", {"example.com", "203.0.113.9", "user:bob", "203.0.113.9"});
  Mitigation b = deferral("d", {"user:bob", "203.0.113.9", "example.com"});
  a.scope.recipient_domains = {pattern("b.example"), pattern("a.example"), pattern("b.example")};
  b.scope.recipient_domains = {pattern("a.example"), pattern("b.example")};
  a.scope.sasl_users = {{"x"}, {"x"}};
  b.scope.sasl_users = {{"x"}};
  EXPECT_NE(a, b);
  canonicalise(a);
  canonicalise(b);
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.targets.size(), 3u);
}

TEST(Mitigation, IsValidatedFieldByField) {
  using Edit = std::function<void(Mitigation&)>;
  const Edit kThrottle = [](Mitigation& m) {
    m.action = Action::kThrottle;
    m.rate_limit = RateLimit{.limit = 1, .period = std::chrono::seconds(1), .burst = 1};
  };
  const auto throttle_and = [&](void (*edit)(RateLimit&)) {
    return Edit([=](Mitigation& m) {
      kThrottle(m);
      edit(*m.rate_limit);
    });
  };
  const struct {
    const char* name;
    Edit edit;
    const char* want;  // begin of the problem; null: none
  } kRows[] = {
      {"a deferral", [](Mitigation&) {}, nullptr},
      {"no name", [](Mitigation& m) { m.name = ""; }, "name: "},
      {"one letter", [](Mitigation& m) { m.name = "a"; }, nullptr},
      {"all that a name may have", [](Mitigation& m) { m.name = "a0/b.c-d_e"; }, nullptr},
      {"name of 200", [](Mitigation& m) { m.name = std::string(200, 'a'); }, nullptr},
      {"name of 201", [](Mitigation& m) { m.name = std::string(201, 'a'); }, "name: "},
      {"capital", [](Mitigation& m) { m.name = "aB"; }, "name: "},
      {"colon", [](Mitigation& m) { m.name = "a:b"; }, "name: "},
      {"slash at the end", [](Mitigation& m) { m.name = "a/"; }, "name: "},
      {"dot in front", [](Mitigation& m) { m.name = ".a"; }, "name: "},
      {"no targets", [](Mitigation& m) { m.targets.clear(); }, "targets: "},
      {"1000 targets", [](Mitigation& m) { m.targets.assign(1000, m.targets[0]); }, nullptr},
      {"1001 targets", [](Mitigation& m) { m.targets.assign(1001, m.targets[0]); }, "targets: "},
      {"the whole internet",
       [](Mitigation& m) { m.targets = {Target(IpPrefix::of(*IpAddress::parse("::1"), 0))}; },
       "targets: this is every address"},
      {"user with capitals", [](Mitigation& m) { m.targets = {Target(SaslUser{"Bob"})}; },
       "targets: "},
      {"empty user in scope", [](Mitigation& m) { m.scope.sasl_users = {SaslUser{""}}; },
       "scope.saslUsers: "},
      {"throttle", kThrottle, nullptr},
      {"throttle without rate", [](Mitigation& m) { m.action = Action::kThrottle; }, "rateLimit: "},
      {"rate without throttle", [](Mitigation& m) { m.rate_limit = RateLimit{}; }, "rateLimit: "},
      {"limit 0", throttle_and([](RateLimit& r) { r.limit = 0; }), "rateLimit.limit: "},
      {"limit of a billion", throttle_and([](RateLimit& r) { r.limit = 1'000'000'000; }), nullptr},
      {"limit above", throttle_and([](RateLimit& r) { r.limit = 1'000'000'001; }),
       "rateLimit.limit: "},
      {"burst 0", throttle_and([](RateLimit& r) { r.burst = 0; }), "rateLimit.burst: "},
      {"burst above", throttle_and([](RateLimit& r) { r.burst = 1'000'000'001; }),
       "rateLimit.burst: "},
      {"short period", throttle_and([](RateLimit& r) { r.period = Duration(999); }),
       "rateLimit.period: "},
      {"31 days", throttle_and([](RateLimit& r) { r.period = std::chrono::hours(744); }), nullptr},
      {"longer",
       throttle_and([](RateLimit& r) { r.period = std::chrono::hours(744) + Duration(1); }),
       "rateLimit.period: "},
      {"own code", [](Mitigation& m) { m.reply_code = "450"; }, nullptr},
      {"own codes",
       [](Mitigation& m) {
         m.reply_code = "452";
         m.reply_enhanced = "4.5.3";
       },
       nullptr},
      {"permanent code of a deferral", [](Mitigation& m) { m.reply_code = "550"; }, "reply.code: "},
      {"421", [](Mitigation& m) { m.reply_code = "421"; }, "reply: "},
      {"enhanced code of another class", [](Mitigation& m) { m.reply_enhanced = "5.7.1"; },
       "reply: "},
      {"rejection with 4yz",
       [](Mitigation& m) {
         m.action = Action::kReject;
         m.reply_code = "450";
       },
       "reply.code: "},
      {"a code without a reply",
       [](Mitigation& m) {
         m.action = Action::kQuarantine;
         m.reply_code = "450";
       },
       "reply: "},
      {"reply text of 400", [](Mitigation& m) { m.reply_text = std::string(400, 'a'); }, nullptr},
      {"reply text of 401", [](Mitigation& m) { m.reply_text = std::string(401, 'a'); },
       "reply.text: "},
      {"reply text of two lines", [](Mitigation& m) { m.reply_text = "a\nb"; }, "reply.text: "},
      {"reroute without transport", [](Mitigation& m) { m.action = Action::kReroute; },
       "reroute.transport: "},
      {"transport without reroute", [](Mitigation& m) { m.reroute_transport = "slow"; },
       "reroute.transport: "},
      {"reroute",
       [](Mitigation& m) {
         m.action = Action::kReroute;
         m.reroute_transport = "slow-2";
       },
       nullptr},
      {"transport with next hop",
       [](Mitigation& m) {
         m.action = Action::kReroute;
         m.reroute_transport = "slow:[host]";
       },
       "reroute.transport: "},
      {"priority 1000", [](Mitigation& m) { m.priority = 1000; }, nullptr},
      {"priority 1001", [](Mitigation& m) { m.priority = 1001; }, "priority: "},
      {"priority -1000", [](Mitigation& m) { m.priority = -1000; }, nullptr},
      {"priority -1001", [](Mitigation& m) { m.priority = -1001; }, "priority: "},
      {"ends with its start",
       [](Mitigation& m) {
         m.starts = at(5);
         m.ends = at(5);
       },
       "ends: "},
      {"no reason", [](Mitigation& m) { m.reason = " "; }, "reason: "},
      {"reason of 500", [](Mitigation& m) { m.reason = std::string(500, 'a'); }, nullptr},
      {"reason of 501", [](Mitigation& m) { m.reason = std::string(501, 'a'); }, "reason: "},
      {"reason of two lines", [](Mitigation& m) { m.reason = "a\r\nb"; }, "reason: "},
      {"reason in UTF-8", [](Mitigation& m) { m.reason = "zu viele R\u00fcckl\u00e4ufer"; },
       nullptr},
      {"reason in Latin-1", [](Mitigation& m) { m.reason = "R\xfc"; }, "reason: not UTF-8"},
      {"overlong UTF-8", [](Mitigation& m) { m.reason = "\xc0\xaf"; }, "reason: not UTF-8"},
      {"surrogate", [](Mitigation& m) { m.reason = "\xed\xa0\x80"; }, "reason: not UTF-8"},
      {"beyond Unicode", [](Mitigation& m) { m.reason = "\xf4\x90\x80\x80"; }, "reason: not UTF-8"},
      {"cut UTF-8", [](Mitigation& m) { m.reason = "\xe2\x9d"; }, "reason: not UTF-8"},
      {"evidence of 64 KiB", [](Mitigation& m) { m.evidence = std::string(65536, '\n'); }, nullptr},
      {"evidence above", [](Mitigation& m) { m.evidence = std::string(65537, 'a'); }, "evidence: "},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    Mitigation mitigation = deferral("mail/d", {"203.0.113.0/24"});
    row.edit(mitigation);
    const auto problem = validate(mitigation);
    ASSERT_EQ(problem.has_value(), row.want != nullptr) << (problem ? problem->reason : "");
    if (problem) {
      EXPECT_EQ(problem->reason.rfind(row.want, 0), 0u) << problem->reason;
    }
  }
}

TEST(Exemption, IsValidated) {
  EXPECT_FALSE(validate(Exemption{.target = target("203.0.113.9"), .reason = "ours", .ends = {}}));
  EXPECT_TRUE(validate(Exemption{.target = target("203.0.113.9"), .reason = "", .ends = {}}));
  EXPECT_TRUE(validate(Exemption{.target = Target(SaslUser{"Bob"}), .reason = "ours", .ends = {}}));
}

}  // namespace
}  // namespace ipmit::policy
