// SPDX-License-Identifier: Apache-2.0
// Records in the forms of the providers' documentation, with content of our own.
#include "events/provider/provider_events.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "conf/bounce_rules.h"

namespace ipmit::events {
namespace {

using nlohmann::json;

const BounceRules& rules() {
  static const auto kRules = BounceRules::compile(
      *conf::parse_bounce_rules(conf::default_bounce_rules(), "built-in bounce rules"));
  return *kRules;
}

struct Read {
  std::vector<json> events;
  std::vector<std::string> problems, confirmations;
  ProviderReader::Counters counters;
};

Read read(const std::string& input, std::optional<Provider> provider = std::nullopt) {
  Read out;
  ProviderReader::Sinks sinks;
  sinks.event = [&](const ProviderRecord& record) {
    std::string line;
    append_json(line, record);
    out.events.push_back(json::parse(line));
  };
  sinks.problem = [&](const std::string& problem) { out.problems.push_back(problem); };
  sinks.confirmation = [&](const std::string& url) { out.confirmations.push_back(url); };
  ProviderReader reader(provider, rules(), std::move(sinks));
  reader.add(input);
  reader.finish();
  out.counters = reader.counters();
  return out;
}

struct Row {
  const char* name;
  const char* input;
  const char* want;  // lines of members that the events must have
};

void check(const Row& row) {
  SCOPED_TRACE(row.name);
  const Read got = read(row.input);
  EXPECT_TRUE(got.problems.empty()) << got.problems.front();
  const json want = json::parse(row.want);
  ASSERT_EQ(got.events.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i)
    for (const auto& [key, value] : want[i].items())
      EXPECT_EQ(got.events[i].value(key, json()), value) << key << " of " << got.events[i];
}

std::string sns(const std::string& message) {
  return json{{"Type", "Notification"},
              {"MessageId", "sns-1"},
              {"TopicArn", "arn:aws:sns:eu-west-1:123456789012:bounces"},
              {"Message", message},
              {"Timestamp", "2026-11-25T10:00:01.000Z"}}
      .dump();
}

constexpr const char* kSesBounce = R"({"notificationType": "Bounce",
  "bounce": {"bounceType": "Permanent", "bounceSubType": "General", "feedbackId": "f-1",
    "timestamp": "2026-11-25T10:00:00.250Z", "reportingMTA": "dns; a1.ses.example",
    "remoteMtaIp": "198.51.100.7",
    "bouncedRecipients": [
      {"emailAddress": "ann@example.net", "action": "failed", "status": "5.1.1",
       "diagnosticCode": "smtp; 550 5.1.1 <ann@example.net>: user unknown"},
      {"emailAddress": "Bob <bob@example.net>", "action": "failed", "status": "5.2.2",
       "diagnosticCode": "smtp; 552 5.2.2 mailbox full"}]},
  "mail": {"messageId": "ses-1", "source": "news@example.com", "sourceIp": "192.0.2.4",
    "commonHeaders": {"messageId": "<m1@example.com>"}}})";

constexpr const char* kSesBounceWant = R"([
  {"status": "bounced", "source": "provider", "service": "ses", "origin": "destination",
   "time": "2026-11-25T10:00:00.250Z", "recipient": "ann@example.net", "sender": "news@example.com",
   "queueid": "ses-1", "message_id": "m1@example.com", "client_address": "192.0.2.4",
   "relay_ip": "198.51.100.7", "dsn": "5.1.1", "reply_code": 550, "class": "hard_user",
   "hardbounce": true},
  {"recipient": "bob@example.net", "dsn": "5.2.2", "reply_code": 552, "class": "soft",
   "hardbounce": false}])";

TEST(ProviderSes, ReadsWhatItTellsOfDelivery) {
  const std::string enveloped = sns(kSesBounce);
  const std::string lambda =
      json{{"Records", {{{"EventSource", "aws:sns"}, {"Sns", {{"Message", kSesBounce}}}}}}}.dump();
  const Row rows[] = {
      {"a bounce, as it is", kSesBounce, kSesBounceWant},
      {"a bounce in the envelope of SNS", enveloped.c_str(), kSesBounceWant},
      {"a bounce as a Lambda gets it", lambda.c_str(), kSesBounceWant},
      {"a complaint",
       R"({"eventType": "Complaint", "complaint": {"timestamp": "2026-11-25T10:00:00Z",
           "feedbackId": "f-2", "complaintFeedbackType": "Abuse",
           "complainedRecipients": [{"emailAddress": "ann@example.net"}]},
           "mail": {"messageId": "ses-1", "source": "news@example.com"}})",
       R"([{"kind": "complaint", "class": "complaint", "feedbacktype": "abuse", "queueid": "ses-1",
            "recipient": "ann@example.net", "time": "2026-11-25T10:00:00Z", "service": "ses"}])"},
      {"a delivery",
       R"({"eventType": "Delivery", "delivery": {"timestamp": "2026-11-25T10:00:00Z",
           "recipients": ["ann@example.net"], "smtpResponse": "250 2.6.0 Message received"},
           "mail": {"messageId": "ses-1", "tags": {"ses:configuration-set": ["shop"]}}})",
       R"([{"status": "sent", "reply_code": 250, "dsn": "2.6.0", "instance": "shop",
            "text": "250 2.6.0 Message received", "class": null}])"},
      {"a delay",
       R"({"eventType": "DeliveryDelay", "deliveryDelay": {"timestamp": "2026-11-25T10:00:00Z",
           "delayType": "SpamDetected", "delayedRecipients": [{"emailAddress": "ann@example.net",
           "status": "4.4.7", "diagnosticCode": ""}]}, "mail": {"messageId": "ses-1"}})",
       R"([{"status": "deferred", "dsn": "4.4.7", "class": "reputation"}])"},
      {"an address on SES's own list is no evidence",
       R"({"eventType": "Bounce", "bounce": {"bounceType": "Permanent",
           "bounceSubType": "OnAccountSuppressionList", "timestamp": "2026-11-25T10:00:00Z",
           "bouncedRecipients": [{"emailAddress": "ann@example.net"}]},
           "mail": {"messageId": "ses-1"}})",
       R"([{"status": "bounced", "origin": "local_policy", "class": "unclear"}])"},
      {"a message SES refused itself",
       R"({"eventType": "Reject", "reject": {"reason": "Bad content"}, "mail": {"messageId": "s",
           "timestamp": "2026-11-25T10:00:00Z", "destination": ["ann@example.net"]}})",
       R"([{"status": "bounced", "origin": "local_policy", "recipient": "ann@example.net"}])"},
      {"an event passed on by EventBridge",
       R"({"source": "aws.ses", "detail-type": "Email Opened", "detail": {"eventType": "Open",
           "mail": {"messageId": "s"}}})",
       "[]"},
  };
  for (const Row& row : rows) check(row);
}

TEST(ProviderSes, ConfirmationsAreToldApart) {
  const Read got = read(R"({"Type": "SubscriptionConfirmation", "TopicArn": "arn:aws:sns:x",
      "Token": "t", "Message": "Visit the SubscribeURL", "SubscribeURL": "https://sns.example/?x"})");
  EXPECT_EQ(got.confirmations, std::vector<std::string>{"https://sns.example/?x"});
  EXPECT_EQ(got.counters.confirmations, 1U);
  EXPECT_EQ(got.counters.ignored, 0U);
  EXPECT_TRUE(got.events.empty());
}

TEST(ProviderSendgrid, ReadsTheEventsOfAWebhook) {
  const Row rows[] = {
      {"all kinds in one list",
       R"([
        {"email": "a@example.net", "timestamp": 1795600000, "event": "processed",
         "sg_event_id": "e0"},
        {"email": "a@example.net", "timestamp": 1795600000, "event": "delivered",
         "sg_event_id": "e1", "sg_message_id": "s1", "smtp-id": "<m1@example.com>",
         "response": "250 OK"},
        {"email": "b@example.net", "timestamp": 1795600000, "event": "deferred",
         "sg_event_id": "e2", "response": "451 4.7.1 rate limited, try later", "attempt": "5"},
        {"email": "c@example.net", "timestamp": 1795600000, "event": "bounce", "type": "bounce",
         "sg_event_id": "e3", "status": "5.1.1", "reason": "550 5.1.1 no such user here",
         "bounce_classification": "Invalid Address"},
        {"email": "d@example.net", "timestamp": 1795600000, "event": "dropped",
         "sg_event_id": "e4", "reason": "Bounced Address", "status": "5.0.0"},
        {"email": "e@example.net", "timestamp": 1795600000, "event": "spamreport",
         "sg_event_id": "e5"},
        {"email": "e@example.net", "timestamp": 1795600000, "event": "unsubscribe",
         "sg_event_id": "e6"}])",
       R"([
        {"status": "sent", "service": "sendgrid", "queueid": "s1", "message_id": "m1@example.com",
         "time": "2026-11-25T09:46:40Z", "reply_code": 250},
        {"status": "deferred", "attempt": 5, "dsn": "4.7.1", "class": "throttle"},
        {"status": "bounced", "dsn": "5.1.1", "class": "hard_user", "hardbounce": true},
        {"status": "bounced", "origin": "local_policy", "class": "unclear", "hardbounce": false},
        {"kind": "complaint", "recipient": "e@example.net", "feedbacktype": "abuse"}])"},
      {"the provider's own sorting counts where the answer says nothing",
       R"({"email": "c@example.net", "timestamp": 1795600000, "event": "bounce",
           "sg_event_id": "e7", "reason": "", "bounce_classification": "Reputation"})",
       R"([{"class": "reputation", "hardbounce": false}])"},
  };
  for (const Row& row : rows) check(row);
}

TEST(ProviderMailgun, ReadsWebhooksAndPages) {
  constexpr const char* kFailed =
      R"({"event": "failed", "severity": "permanent", "reason": "bounce", "id": "mg-1",
          "log-level": "error", "timestamp": 1795600000.5, "recipient": "ann@example.net",
          "envelope": {"sender": "news@example.com", "sending-ip": "203.0.113.5"},
          "delivery-status": {"code": 550, "message": "The account does not exist",
            "enhanced-code": "5.1.1", "attempt-no": 2, "mx-host": "MX.example.net."},
          "message": {"size": 712, "headers": {"message-id": "m1@example.com"}}})";
  constexpr const char* kWant =
      R"([{"status": "bounced", "time": "2026-11-25T09:46:40.500Z", "sender": "news@example.com",
           "message_id": "m1@example.com", "relay_host": "mx.example.net", "reply_code": 550,
           "text": "550 5.1.1 The account does not exist", "dsn": "5.1.1", "attempt": 2,
           "size": 712, "instance": "203.0.113.5", "class": "hard_user", "hardbounce": true}])";
  const std::string webhook = std::string(R"({"signature": {"token": "t", "timestamp": "1",
      "signature": "s"}, "event-data": )") +
                              kFailed + "}";
  const std::string page = std::string(R"({"items": [)") + kFailed + R"(], "paging": {}})";
  const Row rows[] = {
      {"an event", kFailed, kWant},
      {"a webhook", webhook.c_str(), kWant},
      {"a page of the events API", page.c_str(), kWant},
      {"a failure that is tried again",
       R"({"event": "failed", "severity": "temporary", "reason": "greylisted", "log-level": "warn",
           "timestamp": 1795600000, "recipient": "a@example.net",
           "delivery-status": {"code": 450, "message": ""}})",
       R"([{"status": "deferred", "class": "soft", "reply_code": 450}])"},
      {"given up after days",
       R"({"event": "failed", "severity": "permanent", "reason": "old", "log-level": "error",
           "timestamp": 1795600000, "recipient": "a@example.net",
           "delivery-status": {"code": 602, "message": "Too old"}})",
       R"([{"status": "expired", "class": "soft", "reply_code": null}])"},
      {"a suppressed address is no evidence",
       R"({"event": "failed", "severity": "permanent", "reason": "suppress-bounce",
           "log-level": "error", "timestamp": 1795600000, "recipient": "a@example.net",
           "delivery-status": {"code": 605, "message": "",
           "description": "Not delivering to previously bounced address"}})",
       R"([{"origin": "local_policy", "class": "unclear", "reply_code": null}])"},
      {"a complaint",
       R"({"event": "complained", "log-level": "warn", "timestamp": 1795600000, "id": "mg-2",
           "recipient": "a@example.net", "message": {"headers": {"message-id": "m2"}}})",
       R"([{"kind": "complaint", "messageid": "m2", "feedbacktype": "abuse"}])"},
      {"an opened mail",
       R"({"event": "opened", "log-level": "info", "timestamp": 1, "recipient": "a@example.net"})",
       "[]"},
  };
  for (const Row& row : rows) check(row);
}

TEST(ProviderPostmark, ReadsWebhooks) {
  const Row rows[] = {
      {"a hard bounce",
       R"({"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "MessageID": "p-1",
           "MessageStream": "outbound", "Email": "ann@example.net", "From": "news@example.com",
           "BouncedAt": "2026-11-25T10:00:00.1234567+01:00", "Details": ""})",
       R"([{"status": "bounced", "time": "2026-11-25T09:00:00.123Z", "instance": "outbound",
            "queueid": "p-1", "class": "hard_user", "hardbounce": true,
            "text": "Postmark: HardBounce"}])"},
      {"what the server said wins over the type",
       R"({"RecordType": "Bounce", "Type": "HardBounce", "MessageID": "p-1",
           "Email": "ann@example.net", "BouncedAt": "2026-11-25T10:00:00Z",
           "Details": "smtp;554 5.7.1 Client host blocked using a blocklist"})",
       R"([{"class": "reputation", "dsn": "5.7.1", "reply_code": 554, "hardbounce": false}])"},
      {"a message that waits",
       R"({"RecordType": "Bounce", "Type": "Transient", "MessageID": "p-1",
           "Email": "ann@example.net", "BouncedAt": "2026-11-25T10:00:00Z"})",
       R"([{"status": "deferred", "class": "soft"}])"},
      {"a vacation notice is no bounce",
       R"({"RecordType": "Bounce", "Type": "AutoResponder", "MessageID": "p-1",
           "Email": "ann@example.net", "BouncedAt": "2026-11-25T10:00:00Z"})",
       "[]"},
      {"a delivery",
       R"({"RecordType": "Delivery", "MessageID": "p-1", "Recipient": "ann@example.net",
           "DeliveredAt": "2026-11-25T10:00:00Z", "Details": "smtp;250 2.0.0 OK"})",
       R"([{"status": "sent", "reply_code": 250, "dsn": "2.0.0"}])"},
      {"an unsubscription",
       R"({"RecordType": "SubscriptionChange", "MessageID": "p-1", "Recipient": "ann@example.net",
           "ChangedAt": "2026-11-25T10:00:00Z", "SuppressSending": true,
           "SuppressionReason": "ManualSuppression", "Origin": "Recipient"})",
       "[]"},
  };
  for (const Row& row : rows) check(row);
}

// Both webhooks tell of one complaint: it must not count twice.
TEST(ProviderPostmark, AComplaintAndItsSuppressionAreOneEvent) {
  const Read got = read(
      R"({"RecordType": "SpamComplaint", "Type": "SpamComplaint", "MessageID": "p-1",
          "Email": "ann@example.net", "BouncedAt": "2026-11-25T10:00:00Z"}
         {"RecordType": "SubscriptionChange", "MessageID": "p-1", "Recipient": "ann@example.net",
          "ChangedAt": "2026-11-25T10:00:02Z", "SuppressSending": true,
          "SuppressionReason": "SpamComplaint", "Origin": "Recipient"})");
  ASSERT_EQ(got.events.size(), 2U);
  EXPECT_EQ(got.events[0]["kind"], "complaint");
  EXPECT_EQ(got.events[0]["event_id"], got.events[1]["event_id"]);
}

TEST(ProviderKumomta, ReadsLogRecords) {
  const Row rows[] = {
      {"a delivery to two recipients of one transaction",
       R"({"type": "Delivery", "id": "k1", "sender": "news@example.com",
           "recipient": ["a@example.net", "b@example.net"], "queue": "example.net", "site": "s",
           "size": 1047, "response": {"code": 250, "enhanced_code": {"class": 2, "subject": 0,
           "detail": 0}, "content": "OK", "command": "."}, "peer_address": {"name":
           "mx.example.net.", "addr": "192.0.2.25"}, "timestamp": 1795600000, "num_attempts": 0,
           "egress_source": "ip-7", "meta": {"authn_id": "carol", "received_from":
           "[2001:db8::9]:4711"}, "headers": {"Message-ID": "<m1@example.com>"}})",
       R"([{"status": "sent", "recipient": "a@example.net", "dsn": "2.0.0", "reply_code": 250,
            "instance": "ip-7", "relay_host": "mx.example.net", "relay_ip": "192.0.2.25",
            "sasl_user": "carol", "client_address": "2001:db8::9", "message_id": "m1@example.com",
            "size": 1047},
           {"recipient": "b@example.net"}])"},
      {"a temporary failure",
       R"({"type": "TransientFailure", "id": "k2", "sender": "", "recipient": "a@example.net",
           "queue": "example.net", "site": "s", "response": {"code": 421, "enhanced_code": null,
           "content": "too many connections from your host", "command": null},
           "event_time": 1795600000.25, "timestamp": 1795600000, "num_attempts": 3})",
       R"([{"status": "deferred", "time": "2026-11-25T09:46:40.250Z", "attempt": 3,
            "class": "throttle", "text": "421 too many connections from your host"}])"},
      {"a bounce that only KumoMTA has sorted",
       R"({"type": "Bounce", "id": "k3", "recipient": "a@example.net", "queue": "example.net",
           "site": "s", "response": {"code": 550, "content": "no"}, "timestamp": 1795600000,
           "bounce_classification": "InvalidRecipient"})",
       R"([{"status": "bounced", "class": "hard_user", "hardbounce": true}])"},
      {"a person cleared the queue",
       R"({"type": "AdminBounce", "id": "k4", "recipient": "a@example.net", "queue": "q",
           "site": "", "response": {"code": 551, "content": "Administrator bounced with reason"},
           "timestamp": 1795600000})",
       R"([{"status": "bounced", "origin": "local_policy"}])"},
      {"expired",
       R"({"type": "Expiration", "id": "k5", "recipient": "a@example.net", "queue": "q",
           "site": "", "response": {"code": 551, "enhanced_code": {"class": 5, "subject": 4,
           "detail": 7}, "content": "Next delivery time would be at beyond the expiration time"},
           "timestamp": 1795600000})",
       R"([{"status": "expired", "class": "soft", "dsn": "5.4.7"}])"},
      {"a feedback report",
       R"({"type": "Feedback", "id": "k6", "recipient": "fbl@example.com", "queue": "", "site": "",
           "timestamp": 1795600000, "response": {"code": 250, "content": ""}, "feedback_report":
           {"feedback_type": "abuse", "original_mail_from": "news@example.com", "source_ip":
           "203.0.113.9", "original_rcpt_to": ["ann@example.net"]}})",
       R"([{"kind": "complaint", "recipient": "ann@example.net", "addresser": "news@example.com",
            "sourceaddress": "203.0.113.9", "feedbacktype": "abuse", "derived": []}])"},
      {"a feedback report whose recipient comes from the message",
       R"({"type": "Feedback", "id": "k7", "recipient": "fbl@example.com", "queue": "", "site": "",
           "timestamp": 1795600000, "response": {}, "feedback_report": {"feedback_type": "abuse",
           "original_rcpt_to": [], "supplemental_trace": {"recipient": "ann@example.net"}}})",
       R"([{"recipient": "ann@example.net", "derived": ["recipient"]}])"},
      {"reception, and a refusal of its own",
       R"({"type": "Reception", "id": "k8", "queue": "q", "site": ""}
          {"type": "Rejection", "id": "k9", "queue": "q", "site": ""})",
       "[]"},
  };
  for (const Row& row : rows) check(row);
}

TEST(ProviderIpmit, AnEventComesBackAsItWas) {
  DeliveryEvent event;
  event.event_id = std::string(32, 'a');
  event.time = *common::parse_rfc3339("2026-11-25T10:00:00.123Z");
  event.status = DeliveryStatus::kDeferred;
  event.origin = EventOrigin::kIpmit;
  event.source = EventSource::kLog;
  event.joined = event.sender_known = event.text_truncated = true;
  event.host = "mail1";
  event.instance = "out-7";
  event.service = "smtp";
  event.queue_id = "4XyZ";
  event.message_id = "m1@example.com";
  event.client_name = "client.example";
  event.client_address = "2001:db8::9";
  event.sasl_user = "carol";
  event.recipient = "\"odd name\"@example.net";
  event.orig_to = "ann@example.com";
  event.relay = "mx.example.net[192.0.2.25]:25";
  event.relay_host = "mx.example.net";
  event.relay_address = "192.0.2.25";
  event.relay_port = 25;
  event.enhanced_code = "4.7.1";
  event.reply_code = 451;
  event.text = "host said: 451 4.7.1 \xc3\xa9 later";
  event.attempt = 2;
  event.conn_use = 3;
  event.size_bytes = 99;
  event.line = 12;
  event.delay = common::Duration(61'005);
  event.delays = {common::Duration(1), common::Duration(0), common::Duration(2),
                  common::Duration(3)};
  std::string json_text;
  append_json(json_text, event);
  const auto back = read_delivery_event(json_text);
  ASSERT_TRUE(back) << back.problem();
  std::string again;
  append_json(again, *back);
  EXPECT_EQ(again, json_text);

  const Read got = read(json_text);
  ASSERT_EQ(got.events.size(), 1U);
  const json want = json::parse(json_text);
  for (const auto& [key, value] : want.items())
    EXPECT_EQ(got.events[0].value(key, json()), value) << key;
}

TEST(ProviderIpmit, WhatTheSchemaForbidsIsRefused) {
  const json good = {{"v", 1},           {"event_id", "e"}, {"time", "2026-11-25T10:00:00Z"},
                     {"status", "sent"}, {"source", "log"}, {"recipient", "a@example.net"}};
  ASSERT_TRUE(read_delivery_event(good.dump()));
  const struct {
    const char* member;
    json value;
    const char* want;
  } rows[] = {
      {"v", 2, "v: has to be 1"},
      {"event_id", nullptr, "event_id: missing"},
      {"event_id", std::string(129, 'x'), "event_id: is longer than 128 bytes"},
      {"time", "yesterday", "time: is not a time"},
      {"status", "gone", "status: \"gone\" is not allowed here"},
      {"status", "undeliverable-but-not-cached",
       "status: \"undeliverable-but-not-cached\" is not allowed here"},
      {"source", nullptr, "source: missing"},
      {"origin", "me", "origin: \"me\" is not allowed here"},
      {"recipient", "", "recipient: has to be a text"},
      {"client_address", "host", "client_address: is no IP address"},
      {"dsn", "9.1.1", "dsn: is no enhanced status code such as 5.1.1"},
      {"reply_code", 199, "reply_code: has to be a whole number from 200 to 599"},
      {"reply_code", "550", "reply_code: has to be a whole number from 200 to 599"},
      {"relay_port", 65536, "relay_port: has to be a whole number from 0 to 65535"},
      {"attempt", 0, "attempt: has to be a whole number from 1 to 4294967295"},
      {"delay", -1, "delay: has to be a number of seconds"},
      {"delays", {0, 0, 0}, "delays: has to be a list of four numbers"},
      {"host", 5, "host: has to be a text"},
  };
  for (const auto& row : rows) {
    json bad = good;
    bad[row.member] = row.value;
    const auto got = read_delivery_event(bad.dump());
    ASSERT_FALSE(got) << row.want;
    EXPECT_EQ(got.problem(), row.want);
  }
}

}  // namespace
}  // namespace ipmit::events
