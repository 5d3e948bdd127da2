// SPDX-License-Identifier: Apache-2.0
// What a Session keeps, looks up and lets go of from one message to the next.
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "tests/unit/milter/session_fixture.h"

namespace ipmit::milter {
namespace {

using policy::Action;

// How often a macro was looked up.
struct CountedMacro {
  int lookups = 0;
  LazyMacro macro() {
    return {[](void* self) -> std::string_view {
              ++static_cast<CountedMacro*>(self)->lookups;
              return "4QUEUE";
            },
            this};
  }
};

TEST_F(SessionTest, QueueIdIsLookedUpOnlyForRulesThatMatch) {
  CountedMacro queue_id;
  const auto send = [&](std::string_view address) {
    Session& session = connect(address);
    session.mail_from({.argument = "<a@example.com>", .queue_id = queue_id.macro()});
    session.rcpt_to({.argument = "<b@example.net>", .queue_id = queue_id.macro()});
    session.end_of_message("4QUEUE");
  };
  rules({rule("watch", "ip:192.0.2.0/24", Action::kObserve)});
  send("198.51.100.7");
  EXPECT_EQ(queue_id.lookups, 0);
  send("192.0.2.7");
  EXPECT_EQ(queue_id.lookups, 2);
}

TEST_F(SessionTest, RulesAreLetGoOfAtTheEndOfTheMessage) {
  auto set = policy::MitigationSet::build({});
  const std::weak_ptr<const policy::MitigationSet> old = set;
  rules_.publish(std::move(set));
  Session& session = connect();
  mail(session);
  rules({});
  EXPECT_FALSE(old.expired());
  session.end_of_message("4QUEUE");
  EXPECT_TRUE(old.expired());
}

TEST_F(SessionTest, MessagesOfASessionKnowNothingOfEachOther) {
  policy::Mitigation to_b = rule("to", "ip:198.51.100.0/24", Action::kQuarantine);
  to_b.scope.recipient_domains = {policy::DomainPattern::parse("b.example").value()};
  rules({to_b});
  Session& session = connect();
  for (const int recipients : {1, 3, 40}) {  // 40: too many to keep the memory
    mail(session);
    for (int i = 0; i < recipients; ++i) rcpt(session, "<x@b.example>");
    EXPECT_EQ(session.end_of_message("4QUEUE1").edits.size(), 2U);
    mail(session);
    rcpt(session, "<x@c.example>");
    EXPECT_TRUE(session.end_of_message("4QUEUE2").edits.empty());
  }
}

}  // namespace
}  // namespace ipmit::milter
