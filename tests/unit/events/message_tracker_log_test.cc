// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "events/log_pipeline.h"
#include "events/message_tracker.h"

namespace ipmit::events {
namespace {

using common::TimePoint;

class Log {
 public:
  explicit Log(MessageTracker::Limits limits = {})
      : pipeline_({TimePoint{}, std::chrono::minutes(0), limits},
                  [this](const DeliveryEvent& event) { events.push_back(event); }) {}

  // `daemon`: "postfix/smtpd"; the host is mx1.
  void add(const std::string& daemon, const std::string& message, const std::string& host = "mx1") {
    const std::string line = "2026-11-24T17:24:14Z " + host + " " + daemon + "[7]: " + message;
    pipeline_.add({line, false});
  }
  void deliver(const std::string& instance, const std::string& id, const std::string& status,
               const std::string& recipient = "r@b.example",
               const std::string& text = "250 2.0.0 Ok") {
    add(instance + "/smtp", id + ": to=<" + recipient +
                                ">, relay=mx.b.example[192.0.2.9]:25, delay=1.25, "
                                "delays=0.2/0.05/0/1, dsn=2.0.0, status=" +
                                status + " (" + text + ")");
  }
  MessageTracker& tracker() { return pipeline_.tracker(); }

  std::vector<DeliveryEvent> events;

 private:
  LogPipeline pipeline_;
};

void start(Log& log, const std::string& id, const std::string& instance = "postfix",
           const std::string& sender = "s@a.example") {
  log.add(instance + "/smtpd", id + ": client=c.example[198.51.100.7], sasl_method=PLAIN, "
                                    "sasl_username=alice");
  log.add(instance + "/cleanup", id + ": message-id=<1@a.example>");
  log.add(instance + "/qmgr", id + ": from=<" + sender + ">, size=263, nrcpt=1 (queue active)");
}

TEST(MessageTracker, JoinsTheLinesOfAMessage) {
  Log log;
  start(log, "0F5383D");
  log.deliver("postfix", "0F5383D", "deferred", "r@b.example",
              "host mx.b.example[192.0.2.9] said: 450 4.2.1 busy (in reply to RCPT TO command)");
  log.add("postfix/qmgr", "0F5383D: from=<s@a.example>, size=263, nrcpt=1 (queue active)");
  log.deliver("postfix", "0F5383D", "sent");
  ASSERT_EQ(log.events.size(), 2U);
  const DeliveryEvent& first = log.events[0];
  EXPECT_TRUE(first.joined);
  EXPECT_EQ(first.client_name, "c.example");
  EXPECT_EQ(first.client_address, "198.51.100.7");
  EXPECT_EQ(first.sasl_user, "alice");
  EXPECT_TRUE(first.sender_known);
  EXPECT_EQ(first.sender, "s@a.example");
  EXPECT_EQ(first.message_id, "1@a.example");
  EXPECT_EQ(first.recipient, "r@b.example");
  EXPECT_EQ(first.host, "mx1");
  EXPECT_EQ(first.instance, "postfix");
  EXPECT_EQ(first.relay_host, "mx.b.example");
  EXPECT_EQ(first.relay_address, "192.0.2.9");
  EXPECT_EQ(first.relay_port, 25);
  EXPECT_EQ(first.reply_code, 450);
  EXPECT_EQ(first.status, DeliveryStatus::kDeferred);
  EXPECT_EQ(first.attempt, 1U);
  EXPECT_EQ(first.size_bytes, 263U);
  EXPECT_EQ(first.delay, std::chrono::milliseconds(1250));
  EXPECT_EQ(first.delays[1], std::chrono::milliseconds(50));
  EXPECT_EQ(common::to_rfc3339(first.time), "2026-11-24T17:24:14Z");
  EXPECT_EQ(log.events[1].attempt, 2U);
  EXPECT_EQ(log.events[1].line, 6U);
  EXPECT_NE(log.events[1].event_id, first.event_id);
}

TEST(MessageTracker, TheEgressInstanceMayDifferFromTheQueues) {
  Log log;
  log.add("submission/smtpd", "0F5383D: client=c.example[198.51.100.7]");
  log.add("postfix/qmgr", "0F5383D: from=<>, size=1, nrcpt=1 (queue active)");
  log.deliver("out-192.0.2.17", "0F5383D", "sent");
  ASSERT_EQ(log.events.size(), 1U);
  EXPECT_EQ(log.events[0].instance, "out-192.0.2.17");
  EXPECT_EQ(log.events[0].client_address, "198.51.100.7");
  EXPECT_TRUE(log.events[0].sender_known);
  EXPECT_EQ(log.events[0].sender, "");
}

TEST(MessageTracker, TwoQueuesMayUseOneId) {
  Log log;
  start(log, "0F5383D", "postfix", "one@a.example");
  start(log, "0F5383D", "bulk", "two@a.example");
  log.deliver("bulk", "0F5383D", "sent");
  log.deliver("postfix", "0F5383D", "sent");
  log.deliver("other", "0F5383D", "sent");  // whose it is cannot be told
  ASSERT_EQ(log.events.size(), 3U);
  EXPECT_EQ(log.events[0].sender, "two@a.example");
  EXPECT_EQ(log.events[1].sender, "one@a.example");
  EXPECT_FALSE(log.events[2].joined);
  EXPECT_EQ(log.tracker().counters().unjoined, 1U);
}

TEST(MessageTracker, HostsDoNotMix) {
  Log log;
  start(log, "0F5383D");
  log.add("postfix/smtp", "0F5383D: to=<r@b.example>, relay=none, delay=1, status=bounced (x)",
          "mx2");
  ASSERT_EQ(log.events.size(), 1U);
  EXPECT_FALSE(log.events[0].joined);
}

TEST(MessageTracker, AReusedIdIsANewMessage) {
  Log log;
  start(log, "0F5383D", "postfix", "old@a.example");
  log.add("postfix/smtpd", "0F5383D: client=d.example[198.51.100.8]");
  log.deliver("postfix", "0F5383D", "sent");
  ASSERT_EQ(log.events.size(), 1U);
  EXPECT_EQ(log.events[0].client_address, "198.51.100.8");
  EXPECT_EQ(log.events[0].sasl_user, "");
  EXPECT_FALSE(log.events[0].sender_known);
  EXPECT_EQ(log.tracker().counters().reused, 1U);

  // A bounce has no client line: its message id tells it from the message before.
  start(log, "1F5383D", "postfix", "old@a.example");
  log.add("postfix/cleanup", "1F5383D: message-id=<2@a.example>");
  log.add("postfix/qmgr", "1F5383D: from=<>, size=9, nrcpt=1 (queue active)");
  log.deliver("postfix", "1F5383D", "sent");
  EXPECT_EQ(log.events[1].message_id, "2@a.example");
  EXPECT_EQ(log.events[1].client_address, "");
  EXPECT_EQ(log.events[1].attempt, 1U);
}

TEST(MessageTracker, RemovedMessagesStayForStragglersOnly) {
  Log log;
  start(log, "0F5383D");
  log.add("postfix/qmgr", "0F5383D: removed");
  log.deliver("postfix", "0F5383D", "sent");
  EXPECT_TRUE(log.events.at(0).joined);
  for (int i = 0; i < 1000; ++i) {
    const std::string id = "AB" + std::to_string(10000 + i);
    start(log, id);
    log.add("postfix/qmgr", id + ": removed");
  }
  EXPECT_LE(log.tracker().messages(), 65U);
  log.deliver("postfix", "0F5383D", "sent");
  EXPECT_FALSE(log.events.at(1).joined);
  EXPECT_EQ(log.tracker().counters().forgotten, 0U);
}

TEST(MessageTracker, ExpiryNamesWhoWasStillWaiting) {
  Log log;
  start(log, "0F5383D");
  const std::string busy = "host mx.b.example[192.0.2.9] said: 450 4.2.1 busy";
  log.deliver("postfix", "0F5383D", "deferred", "one@b.example", busy);
  log.deliver("postfix", "0F5383D", "deferred", "two@b.example", busy);
  log.deliver("postfix", "0F5383D", "deferred", "two@b.example", busy);
  log.deliver("postfix", "0F5383D", "sent", "one@b.example");
  log.add("postfix/qmgr", "0F5383D: from=<s@a.example>, status=expired, returned to sender");
  log.add("postfix/qmgr", "0F5383D: from=<s@a.example>, status=expired, returned to sender");
  ASSERT_EQ(log.events.size(), 5U);
  const DeliveryEvent& expired = log.events[4];
  EXPECT_EQ(expired.status, DeliveryStatus::kExpired);
  EXPECT_EQ(expired.recipient, "two@b.example");
  EXPECT_EQ(expired.sender, "s@a.example");
  EXPECT_EQ(expired.reply_code, 450);
  EXPECT_EQ(expired.text, busy);
  EXPECT_EQ(log.tracker().counters().expired_unknown, 1U);
}

TEST(MessageTracker, OwnRefusalsAndLocalPolicyAreNoEvidence) {
  struct Row {
    const char* daemon;
    const char* text;
    EventOrigin origin;
  };
  constexpr EventOrigin kDestination = EventOrigin::kDestination;
  constexpr EventOrigin kLocal = EventOrigin::kLocalPolicy;
  const Row rows[] = {
      {"smtp", "host mx.b.example[192.0.2.9] said: 550 5.1.1 no such user", kDestination},
      {"smtp", "connect to mx.b.example[192.0.2.9]:25: Connection timed out", kDestination},
      {"smtp", "Host or domain name not found. Name service error for name=b.example",
       kDestination},
      {"local", "unknown user: \"r\"", kDestination},
      {"smtp",
       "host mx2[192.0.2.8] said: 451 4.7.1 203.0.113.9 exceeds 100 messages per hour (ipmit "
       "mail/det-7f3a until 2026-11-25T18:00Z) (in reply to MAIL FROM command)",
       EventOrigin::kIpmit},
      {"smtp", "host mx2[192.0.2.8] said: 451 4.7.1 we (ipmit users) are busy", kDestination},
      {"error", "mail to this domain is not deliverable", kLocal},
      {"error", "delivery temporarily suspended: connect to mx[192.0.2.9]:25: Connection refused",
       kDestination},
      {"error", "delivery temporarily suspended: unknown mail transport error", kLocal},
      {"smtp", "TLS is required, but was not offered by host mx.b.example[192.0.2.9]", kLocal},
      {"smtp", "Server certificate not verified", kLocal},
      {"smtp", "mail for b.example loops back to myself", kLocal},
      {"cleanup", "message content rejected", kLocal},
      {"discard", "b.example", kLocal},
  };
  for (const Row& row : rows) {
    Log log;
    log.add(std::string("postfix/") + row.daemon,
            std::string("0F5383D: to=<r@b.example>, relay=none, delay=0, dsn=5.0.0, "
                        "status=bounced (") +
                row.text + ")");
    ASSERT_EQ(log.events.size(), 1U);
    EXPECT_EQ(log.events[0].origin, row.origin) << row.text;
    EXPECT_EQ(log.events[0].counts_as_evidence(), row.origin == kDestination);
  }
}

TEST(MessageTracker, RefusalsAreCountedAndGiveNoEvent) {
  Log log;
  const std::string peer = " RCPT from c.example[192.0.2.1]: 451 4.7.1 ";
  log.add("postfix/smtpd", "NOQUEUE: milter-reject:" + peer + "no (ipmit m until 2026); from=<>");
  log.add("postfix/smtpd", "NOQUEUE: milter-reject:" + peer + "no; from=<>");
  log.add("postfix/smtpd", "NOQUEUE: reject:" + peer + "Relay access denied; from=<>");
  EXPECT_TRUE(log.events.empty());
  EXPECT_EQ(log.tracker().counters().own_refusals, 1U);
  EXPECT_EQ(log.tracker().counters().milter_refusals, 1U);
  EXPECT_EQ(log.tracker().counters().local_refusals, 1U);
}

TEST(MessageTracker, TheOldestIsForgottenAndCounted) {
  Log log({3, 1 << 20});
  for (const char* id : {"AAAAAA1", "AAAAAA2", "AAAAAA3"}) start(log, id);
  log.add("postfix/qmgr", "AAAAAA1: from=<s@a.example>, size=1, nrcpt=1 (queue active)");
  start(log, "AAAAAA4");
  EXPECT_EQ(log.tracker().messages(), 3U);
  EXPECT_EQ(log.tracker().counters().forgotten, 1U);
  for (const char* id : {"AAAAAA1", "AAAAAA2", "AAAAAA3", "AAAAAA4"}) {
    log.deliver("postfix", id, "sent");
  }
  EXPECT_TRUE(log.events[0].joined);
  EXPECT_FALSE(log.events[1].joined) << "not touched for longest";
  EXPECT_TRUE(log.events[2].joined);
  EXPECT_TRUE(log.events[3].joined);
}

TEST(MessageTracker, TextsAreBoundedToo) {
  Log log({100'000, 64 * 1024});
  for (int i = 0; i < 2000; ++i) {
    const std::string id = "AAAA" + std::to_string(100000 + i);
    start(log, id, "postfix", std::string(1000, 's') + "@a.example");
    log.deliver("postfix", id, "deferred", "r@b.example", std::string(4000, 'x'));
  }
  EXPECT_LT(log.tracker().messages(), 100U);
  EXPECT_GT(log.tracker().counters().forgotten, 1900U);
  EXPECT_EQ(log.tracker().counters().too_long, 0U);
  start(log, "0F5383D", "postfix", std::string(5000, 's'));
  log.deliver("postfix", "0F5383D", "sent");
  EXPECT_FALSE(log.events.back().sender_known);
  EXPECT_EQ(log.tracker().counters().too_long, 1U);
}

TEST(MessageTracker, StateSurvivesARestart) {
  Log before;
  start(before, "0F5383D");
  start(before, "1F5383D", "bulk", "");
  before.deliver("postfix", "0F5383D", "deferred");
  const std::string state = before.tracker().save();
  Log after;
  ASSERT_TRUE(after.tracker().load(state));
  EXPECT_EQ(after.tracker().save(), state);
  after.deliver("postfix", "0F5383D", "sent", "other@b.example");
  after.deliver("bulk", "1F5383D", "sent");
  after.add("postfix/qmgr", "0F5383D: from=<s@a.example>, status=expired, returned to sender");
  ASSERT_EQ(after.events.size(), 3U);
  EXPECT_EQ(after.events[0].sasl_user, "alice");
  EXPECT_EQ(after.events[0].attempt, 1U);
  EXPECT_TRUE(after.events[1].sender_known);
  EXPECT_EQ(after.events[1].sender, "");
  EXPECT_EQ(after.events[2].recipient, "r@b.example");
}

TEST(MessageTracker, DamagedStateIsRefusedWhole) {
  Log log;
  start(log, "0F5383D");
  const std::string state = log.tracker().save();
  for (std::size_t i = 0; i < state.size(); ++i) {
    std::string damaged = state;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(log.tracker().load(damaged)) << i;
    EXPECT_FALSE(log.tracker().load(state.substr(0, i))) << i;
    EXPECT_EQ(log.tracker().messages(), 0U);
  }
  EXPECT_TRUE(log.tracker().load(state));
}

TEST(MessageTracker, TheSameLinesGiveTheSameIds) {
  std::vector<std::string> ids[2];
  for (auto& run : ids) {
    Log log;
    start(log, "0F5383D");
    log.deliver("postfix", "0F5383D", "sent", "one@b.example");
    log.deliver("postfix", "0F5383D", "sent", "two@b.example");
    for (const DeliveryEvent& event : log.events) run.push_back(event.event_id);
  }
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_NE(ids[0][0], ids[0][1]);
  // Fixed for ever: stored events are compared with it.
  std::string id;
  EventIdBuilder().add("text").add(std::uint64_t{7}).write(id);
  EXPECT_EQ(id.size(), 32U);
}

TEST(DeliveryEvent, PrintsAsJson) {
  DeliveryEvent event;
  event.event_id = "00";
  event.time = *common::parse_rfc3339("2026-11-24T17:24:14.070Z");
  event.status = DeliveryStatus::kBounced;
  event.recipient = "\"a\\b\"@b.example";
  event.sender_known = true;
  event.text = std::string("caf\xc3\xa9 \xff\n\0", 9);
  event.reply_code = 550;
  event.delay = std::chrono::milliseconds(1250);
  event.delays = {std::chrono::milliseconds(7), {}, std::chrono::seconds(90), {}};
  std::string text;
  append_json(text, event);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json.at("v"), 1);
  EXPECT_EQ(json.at("time"), "2026-11-24T17:24:14.070Z");
  EXPECT_EQ(json.at("recipient"), event.recipient);
  EXPECT_EQ(json.at("sender"), "");
  EXPECT_EQ(json.at("text"), std::string("caf\xc3\xa9 \xef\xbf\xbd\n\0", 11));
  EXPECT_EQ(json.at("status"), "bounced");
  EXPECT_EQ(json.at("origin"), "destination");
  EXPECT_EQ(json.at("delay"), 1.25);
  EXPECT_EQ(json.at("delays"), nlohmann::json::parse("[0.007,0,90,0]"));
  EXPECT_FALSE(json.contains("orig_to"));
}

}  // namespace
}  // namespace ipmit::events
