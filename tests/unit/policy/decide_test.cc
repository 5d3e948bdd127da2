// SPDX-License-Identifier: Apache-2.0
#include "policy/decide.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/ask.h"

namespace ipmit::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Decide, EachActionActsAtItsStageAndAtNoOther) {
  const auto simple = [](Action action) { return rule("r", action, {kClient}); };
  const auto scoped = [&](Action action) { return to_domain(simple(action), "one.example"); };
  const auto per_recipient = with(
      simple(Action::kThrottle), [](Mitigation& m) { m.rate_limit->unit = RateUnit::kRecipients; });
  const struct {
    const char* name;
    Mitigation rule;
    bool local_pickup;
    Stage stage;
    Action action;  // kThrottle stands for a charge
  } kRows[] = {
      {"throttle", simple(Action::kThrottle), false, Stage::kMail, Action::kThrottle},
      {"defer", simple(Action::kDefer), false, Stage::kMail, Action::kDefer},
      {"reject", simple(Action::kReject), false, Stage::kMail, Action::kReject},
      {"throttle of recipients", per_recipient, false, Stage::kRcpt, Action::kThrottle},
      {"scoped throttle", scoped(Action::kThrottle), false, Stage::kRcpt, Action::kThrottle},
      {"scoped defer", scoped(Action::kDefer), false, Stage::kRcpt, Action::kDefer},
      {"scoped reject", scoped(Action::kReject), false, Stage::kRcpt, Action::kReject},
      {"quarantine", simple(Action::kQuarantine), false, Stage::kEndOfMessage, Action::kQuarantine},
      {"reroute", simple(Action::kReroute), false, Stage::kEndOfMessage, Action::kReroute},
      {"discard", simple(Action::kDiscard), false, Stage::kEndOfMessage, Action::kDiscard},
      {"scoped quarantine", scoped(Action::kQuarantine), false, Stage::kEndOfMessage,
       Action::kQuarantine},
      {"local throttle", simple(Action::kThrottle), true, Stage::kEndOfMessage, Action::kThrottle},
      {"local throttle of recipients", per_recipient, true, Stage::kEndOfMessage,
       Action::kThrottle},
      {"local scoped throttle", scoped(Action::kThrottle), true, Stage::kEndOfMessage,
       Action::kThrottle},
      {"local defer", simple(Action::kDefer), true, Stage::kEndOfMessage, Action::kDefer},
      {"local reject is a defer", simple(Action::kReject), true, Stage::kEndOfMessage,
       Action::kDefer},
      {"local scoped reject is a defer", scoped(Action::kReject), true, Stage::kEndOfMessage,
       Action::kDefer},
      {"local discard", simple(Action::kDiscard), true, Stage::kEndOfMessage, Action::kDiscard},
  };
  for (const auto& row : kRows) {
    for (const Stage stage : {Stage::kMail, Stage::kRcpt, Stage::kEndOfMessage}) {
      SCOPED_TRACE(std::string(row.name) + " at " + std::string(to_string(stage)));
      Message message;
      message.local_pickup = row.local_pickup;
      const bool here = stage == row.stage;
      const Answer got = ask({.mitigations = {row.rule}}, message, stage);
      const bool charged = here && row.action == Action::kThrottle;
      EXPECT_EQ(got.action, here && !charged ? row.action : Action::kObserve);
      EXPECT_EQ(got.rule, here && !charged ? "r" : "");
      EXPECT_EQ(got.target, here && !charged ? kClient : "");
      EXPECT_EQ(got.charges.size(), charged ? 1u : 0u);

      const Answer observed = ask({.mitigations = {dry_run(row.rule)}}, message, stage);
      EXPECT_EQ(observed.action, Action::kObserve);
      EXPECT_THAT(observed.charges, IsEmpty());
      EXPECT_EQ(observed.observed.size(), here ? 1u : 0u);
    }
  }
}

TEST(Decide, ObserveIsReportedOnce) {
  const Mitigation observe = rule("o", Action::kObserve, {kClient});
  EXPECT_THAT(ask({.mitigations = {observe}}, {}, Stage::kMail).observed, ElementsAre("o"));
  EXPECT_THAT(ask({.mitigations = {observe}}, {}, Stage::kRcpt).observed, IsEmpty());
  EXPECT_THAT(ask({.mitigations = {observe}}, {}, Stage::kEndOfMessage).observed, IsEmpty());
  const Mitigation scoped = to_domain(observe, "one.example");
  Message message;
  EXPECT_THAT(ask({.mitigations = {scoped}}, message, Stage::kRcpt).observed, ElementsAre("o"));
  message.accepted = {"x@two.example"};
  EXPECT_THAT(ask({.mitigations = {scoped}}, message, Stage::kRcpt).observed, ElementsAre("o"));
  message.accepted = {"x@two.example", "y@one.example"};
  EXPECT_THAT(ask({.mitigations = {scoped}}, message, Stage::kRcpt).observed, IsEmpty());
}

TEST(Decide, OrderIsPriorityStrictnessName) {
  const auto defer = [](const char* name) { return deferral(name, {kClient}); };
  const auto reject = [](const char* name) { return rule(name, Action::kReject, {kClient}); };
  const auto throttle = [](const char* name) { return rule(name, Action::kThrottle, {kClient}); };
  const auto hold = [](const char* name) { return rule(name, Action::kQuarantine, {kClient}); };
  const struct {
    const char* name;
    std::vector<Mitigation> rules;
    Stage stage;
    const char* want;  // name of the deciding rule
    std::size_t charges;
  } kRows[] = {
      {"stricter first", {defer("a"), reject("b")}, Stage::kMail, "b", 0},
      {"priority before strictness",
       {prioritised(defer("a"), 1), reject("b")},
       Stage::kMail,
       "a",
       0},
      {"negative priority", {prioritised(reject("a"), -1), defer("b")}, Stage::kMail, "b", 0},
      {"then by name", {defer("b"), defer("a"), defer("c")}, Stage::kMail, "a", 0},
      {"nothing is charged for a refused message",
       {throttle("a"), defer("b")},
       Stage::kMail,
       "b",
       0},
      {"all throttles are charged",
       {throttle("a"), prioritised(throttle("b"), -5)},
       Stage::kMail,
       "",
       2},
      {"a throttle of higher priority replaces a defer",
       {prioritised(throttle("a"), 1), throttle("b"), reject("c")},
       Stage::kMail,
       "",
       2},
      {"an observation replaces nothing",
       {prioritised(rule("a", Action::kObserve, {kClient}), 9), defer("b")},
       Stage::kMail,
       "b",
       0},
      {"a dry run replaces nothing",
       {prioritised(dry_run(reject("a")), 9), defer("b")},
       Stage::kMail,
       "b",
       0},
      {"at the end of the message too",
       {hold("a"), rule("b", Action::kDiscard, {kClient})},
       Stage::kEndOfMessage,
       "b",
       0},
      {"the narrower target is not preferred",
       {deferral("b", {kClient}), deferral("a", {"203.0.113.0/24"})},
       Stage::kMail,
       "a",
       0},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const Answer got = ask({.mitigations = row.rules}, {}, row.stage);
    EXPECT_EQ(got.rule, row.want);
    EXPECT_EQ(got.charges.size(), row.charges);
  }
}

TEST(Decide, LocalPickupWithThrottleAndHold) {
  Message message;
  message.local_pickup = true;
  const Mitigation hold = rule("hold", Action::kQuarantine, {kClient});
  const Mitigation throttle = rule("t", Action::kThrottle, {kClient});
  const Answer both = ask({.mitigations = {hold, throttle}}, message, Stage::kEndOfMessage);
  EXPECT_EQ(both.rule, "hold");
  EXPECT_EQ(both.charges.size(), 1u);
  const Answer first =
      ask({.mitigations = {hold, prioritised(throttle, 1), deferral("d", {kClient})}}, message,
          Stage::kEndOfMessage);
  EXPECT_EQ(first.rule, "hold");
  EXPECT_EQ(first.charges.size(), 1u);
}

TEST(Decide, ExemptionsBeatEverything) {
  MitigationSet::Source source{
      .mitigations = {deferral("d", {"203.0.113.0/24"}), rule("o", Action::kObserve, {kClient})},
      .exemptions = {exemption("203.0.113.9")}};
  const Answer got = ask(source, {}, Stage::kMail);
  EXPECT_EQ(got.action, Action::kObserve);
  EXPECT_EQ(got.exempt, "203.0.113.9");
  EXPECT_EQ(got.target, "");
  EXPECT_THAT(got.charges, IsEmpty());
  EXPECT_THAT(got.observed, IsEmpty());
  Message other;
  other.client = "203.0.113.8";
  EXPECT_EQ(ask(source, other, Stage::kMail).rule, "d");
  source.exemptions[0].ends = at(0);
  EXPECT_EQ(ask(source, {}, Stage::kMail).rule, "d");
}

TEST(Decide, OnlyActiveRulesAct) {
  const auto when = [](std::optional<TimePoint> starts, std::optional<TimePoint> ends) {
    return ask({.mitigations = {with(deferral("d", {kClient}),
                                     [&](Mitigation& m) {
                                       m.starts = starts;
                                       m.ends = ends;
                                     })}},
               {}, Stage::kMail)
        .rule;
  };
  EXPECT_EQ(when(at(0), at(1)), "d");
  EXPECT_EQ(when(at(1), {}), "");
  EXPECT_EQ(when({}, at(0)), "");
}

TEST(Decide, NullSenderIsNotRefused) {
  const struct {
    Action action;
    bool acts;  // for the null sender, when protected
  } kRows[] = {{Action::kThrottle, false}, {Action::kDefer, false},     {Action::kReject, false},
               {Action::kObserve, true},   {Action::kQuarantine, true}, {Action::kReroute, true},
               {Action::kDiscard, true}};
  for (const auto& row : kRows) {
    SCOPED_TRACE(to_string(row.action));
    Message bounce;
    bounce.sender = "<>";
    const MitigationSet::Source source{.mitigations = {rule("r", row.action, {kClient}),
                                                       dry_run(rule("s", row.action, {kClient}))}};
    const auto seen = [&](const DecideOptions& options) {
      std::size_t count = 0;
      for (const Stage stage : {Stage::kMail, Stage::kEndOfMessage}) {
        const Answer got = ask(source, bounce, stage, options);
        count += got.charges.size() + got.observed.size() + (got.rule.empty() ? 0 : 1);
      }
      return count;
    };
    EXPECT_EQ(seen({}), row.acts ? 2u : 0u);
    EXPECT_EQ(seen({.protect_null_sender = false}), 2u);
    bounce.local_pickup = true;
    EXPECT_EQ(seen({}), row.acts ? 2u : 0u);
  }
}

TEST(Decide, PostmasterIsNotRefusedAtRcpt) {
  Message message;
  message.recipients = {"Postmaster@one.example"};
  const Mitigation defer = to_domain(deferral("d", {kClient}), "one.example");
  const Mitigation throttle = with(rule("t", Action::kThrottle, {kClient}), [](Mitigation& m) {
    m.rate_limit->unit = RateUnit::kRecipients;
  });
  EXPECT_EQ(ask({.mitigations = {defer}}, message, Stage::kRcpt).rule, "");
  EXPECT_THAT(ask({.mitigations = {throttle}}, message, Stage::kRcpt).charges, IsEmpty());
  EXPECT_EQ(
      ask({.mitigations = {defer}}, message, Stage::kRcpt, {.protect_postmaster = false}).rule,
      "d");
  EXPECT_EQ(ask({.mitigations = {deferral("d", {kClient})}}, message, Stage::kMail).rule, "d");
}

TEST(Decide, WorksWithoutAnyFacts) {
  const auto set = MitigationSet::build({.mitigations = {deferral("d", {kClient})}});
  Decision decision;
  for (const Stage stage : {Stage::kMail, Stage::kRcpt, Stage::kEndOfMessage}) {
    decide(*set, MessageFacts{}, stage, at(0), {}, decision);
    EXPECT_EQ(decision.action, Action::kObserve);
  }
}

}  // namespace
}  // namespace ipmit::policy
