// SPDX-License-Identifier: Apache-2.0
#include "events/postfix_log.h"

#include <string>

#include <gtest/gtest.h>

namespace ipmit::events {
namespace {

constexpr char kHead[] = "Nov 24 17:24:14 mx1 postfix/smtp[77]: ";
constexpr char kTail[] =
    " relay=mx.example.net[192.0.2.9]:25, delay=1.2, delays=0.1/0/0.3/0.8, dsn=2.0.0, status=sent "
    "(250 2.0.0 Ok)";

TEST(PostfixLog, ReadsEveryHeader) {
  struct Row {
    const char* name;
    const char* head;
    const char* timestamp;
    const char* host;
    const char* instance;
    const char* service;
    int pid;
  };
  const Row rows[] = {
      {"RFC 3164", "Nov 24 17:24:14 mx1 postfix/smtp[77]: ", "Nov 24 17:24:14", "mx1", "postfix",
       "smtp", 77},
      {"day padded with a blank", "Jul  5 06:52:11 mx1 postfix/smtp[77]: ", "Jul  5 06:52:11",
       "mx1", "postfix", "smtp", 77},
      {"day not padded", "Jul 5 06:52:11 mx1 postfix/smtp[77]: ", "Jul 5 06:52:11", "mx1",
       "postfix", "smtp", 77},
      {"RFC 3339 with offset", "2026-11-24T17:24:14.039595+01:00 mx1 postfix/smtp[77]: ",
       "2026-11-24T17:24:14.039595+01:00", "mx1", "postfix", "smtp", 77},
      {"RFC 3339 in UTC", "2026-11-24T17:24:14Z mx1 postfix/smtp[77]: ", "2026-11-24T17:24:14Z",
       "mx1", "postfix", "smtp", 77},
      {"journalctl short-iso", "2026-11-24T17:24:14+0100 mx1 postfix/smtp[77]: ",
       "2026-11-24T17:24:14+0100", "mx1", "postfix", "smtp", 77},
      {"priority in front", "<22>Nov 24 17:24:14 mx1 postfix/smtp[77]: ", "Nov 24 17:24:14", "mx1",
       "postfix", "smtp", 77},
      {"RFC 5424", "<22>1 2026-11-24T17:24:14Z mx1 postfix/smtp 77 - - ", "2026-11-24T17:24:14Z",
       "mx1", "postfix", "smtp", 77},
      {"RFC 5424 with structured data",
       "<22>1 2026-11-24T17:24:14Z mx1 postfix/smtp - - [origin software=\"x\"] ",
       "2026-11-24T17:24:14Z", "mx1", "postfix", "smtp", -1},
      {"any syslog_name", "Nov 24 17:24:14 mx1 mail-192.0.2.17/smtp[77]: ", "Nov 24 17:24:14",
       "mx1", "mail-192.0.2.17", "smtp", 77},
      {"service in the syslog_name", "Nov 24 17:24:14 mx1 postfix/out1/smtp[77]: ",
       "Nov 24 17:24:14", "mx1", "postfix", "smtp", 77},
      {"IPv6 as host name", "Nov 24 17:24:14 2001:db8::1 postfix/smtp[77]: ", "Nov 24 17:24:14",
       "2001:db8::1", "postfix", "smtp", 77},
      {"no pid", "Nov 24 17:24:14 mx1 postfix/smtp: ", "Nov 24 17:24:14", "mx1", "postfix", "smtp",
       -1},
      {"no host", "Nov 24 17:24:14 postfix/smtp[77]: ", "Nov 24 17:24:14", "", "postfix", "smtp",
       77},
      {"Solaris", "Nov 24 17:24:14 mx1 postfix/smtp[77]: [ID 197553 mail.info] ", "Nov 24 17:24:14",
       "mx1", "postfix", "smtp", 77},
      {"no header at all", "", "", "", "", "", -1},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const std::string line = std::string(row.head) + "4jYqRf3bjjz1dnDm: to=<a@b.example>," + kTail;
    const LogRecord record = parse_log_line(line);
    EXPECT_EQ(record.kind, LogKind::kDelivery);
    EXPECT_EQ(record.timestamp, row.timestamp);
    EXPECT_EQ(record.host, row.host);
    EXPECT_EQ(record.instance, row.instance);
    EXPECT_EQ(record.service, row.service);
    EXPECT_EQ(record.pid, row.pid);
    EXPECT_EQ(record.queue_id, "4jYqRf3bjjz1dnDm");
    EXPECT_EQ(record.text, "250 2.0.0 Ok");
  }
}

TEST(PostfixLog, ReadsEveryRecipient) {
  struct Row {
    const char* written;
    const char* recipient;
    const char* orig_to;
  };
  const Row rows[] = {
      {"to=<a@b.example>,", "a@b.example", ""},
      {"to=<a@b.example>, orig_to=<alias@c.example>,", "a@b.example", "alias@c.example"},
      {"to=<a@b.example>, orig_to=<root>,", "a@b.example", "root"},
      {"to=a@b.example,", "a@b.example", ""},
      {"to=<\"odd, name>\"@b.example>,", "\"odd, name>\"@b.example", ""},
      {"to=<\"a\\\"b>\"@b.example>,", "\"a\\\"b>\"@b.example", ""},
      {"to=<\"never closed@b.example>,", "\"never closed@b.example", ""},
      {"to=<j\xc3\xb6rg@b\xc3\xbc"
       "cher.example>,",
       "j\xc3\xb6rg@b\xc3\xbc"
       "cher.example",
       ""},
      {"to=<{x}/y=z+w@b.example>,", "{x}/y=z+w@b.example", ""},
      {"to=<>,", "", ""},
  };
  for (const Row& row : rows) {
    const std::string line = std::string(kHead) + "0F5383D: " + row.written + kTail;
    const LogRecord record = parse_log_line(line);
    EXPECT_EQ(record.kind, LogKind::kDelivery) << row.written;
    EXPECT_EQ(std::string(record.recipient), row.recipient) << row.written;
    EXPECT_EQ(record.orig_to, row.orig_to) << row.written;
  }
}

TEST(PostfixLog, TakesTheRelayApart) {
  struct Row {
    const char* relay;
    const char* host;
    const char* address;
    int port;
  };
  const Row rows[] = {
      {"mx.example.net[192.0.2.9]:25", "mx.example.net", "192.0.2.9", 25},
      {"mx.example.net[2001:db8::9]:2525", "mx.example.net", "2001:db8::9", 2525},
      {"mail.example.net[private/dovecot-lmtp]", "mail.example.net", "private/dovecot-lmtp", 0},
      {"mx.example.net[192.0.2.9]:99999", "mx.example.net", "192.0.2.9", 0},
      {"none", "", "", 0},
      {"mx.example.net[192.0.2.9", "", "", 0},
  };
  for (const Row& row : rows) {
    const std::string line = std::string(kHead) + "0F5383D: to=<a@b.example>, relay=" + row.relay +
                             ", conn_use=7, delay=0, status=deferred (later)";
    const LogRecord record = parse_log_line(line);
    EXPECT_EQ(record.kind, LogKind::kDelivery) << row.relay;
    EXPECT_EQ(record.relay, row.relay);
    EXPECT_EQ(record.relay_host, row.host);
    EXPECT_EQ(record.relay_address, row.address);
    EXPECT_EQ(record.relay_port, row.port);
    EXPECT_EQ(record.conn_use, 7U);
  }
}

TEST(PostfixLog, DeliveriesComeFromDeliveryAgentsOnly) {
  for (const char* service : {"smtp", "lmtp", "local", "virtual", "pipe", "error", "discard",
                              "bounce", "cleanup", "qmgr"}) {
    const std::string line = std::string("Nov 24 17:24:14 mx1 postfix/") + service +
                             "[77]: 0F5383D: to=<a@b.example>," + kTail;
    EXPECT_EQ(parse_log_line(line).kind, LogKind::kDelivery) << service;
  }
  for (const char* program : {"postfix/smtpd", "postfix/pickup", "smtp-filter", "opendkim",
                              "postfix/verify", "sendmail"}) {
    const std::string line =
        std::string("Nov 24 17:24:14 mx1 ") + program + "[77]: 0F5383D: to=<a@b.example>," + kTail;
    EXPECT_EQ(parse_log_line(line).kind, LogKind::kOther) << program;
  }
}

TEST(PostfixLog, ALineCutShortIsADeliveryOnlyWithItsStatus) {
  const std::string whole = std::string(kHead) +
                            "0F5383D: to=<a@b.example>, relay=mx.example.net[192.0.2.9]:25, "
                            "delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host "
                            "mx.example.net[192.0.2.9] said: 550 5.1.1 no such user (in reply to "
                            "RCPT TO command))";
  const std::size_t status = whole.find("status=") + 7;
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const std::string line = whole.substr(0, length);
    const LogRecord record = parse_log_line(line);
    EXPECT_EQ(record.kind == LogKind::kDelivery, length > status) << line;
  }
  const LogRecord cut = parse_log_line(std::string_view(whole).substr(0, whole.size() - 20));
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(find_reply(cut.text).code, 550);
  EXPECT_FALSE(parse_log_line(whole).truncated);
}

TEST(PostfixLog, AnUnknownKeyIsNobodysDelivery) {
  const std::string head = std::string(kHead) + "0F5383D: to=<a@b.example>, relay=local, delay=1, ";
  EXPECT_EQ(parse_log_line(head + "tls=dane, dsn=2.0.0, status=sent (ok)").kind,
            LogKind::kDelivery);
  EXPECT_EQ(parse_log_line(head + "extra=1, dsn=2.0.0, status=sent (ok)").kind, LogKind::kOther);
  EXPECT_EQ(parse_log_line(head + "delays=1/0/0/0, dsn=2.0.0, sTatus=sent").kind, LogKind::kOther);
}

TEST(PostfixLog, ReadsTheLifeOfAMessage) {
  const auto read = [](const char* service, const std::string& message) {
    LogRecord record;
    record.service = service;
    static std::string kept;
    kept = message;
    parse_log_message(kept, record);
    return record;
  };
  LogRecord record = read("qmgr", "0F5383D: from=<n@b.example>, size=263, nrcpt=2 (queue active)");
  EXPECT_EQ(record.kind, LogKind::kQueueActive);
  EXPECT_EQ(record.sender, "n@b.example");
  EXPECT_EQ(record.size_bytes, 263U);
  EXPECT_EQ(record.recipient_count, 2U);
  record = read("qmgr", "0F5383D: from=<>, status=expired, returned to sender");
  EXPECT_EQ(record.kind, LogKind::kExpired);
  EXPECT_EQ(record.sender, "");
  record = read("qmgr", "0F5383D: from=<n@b.example>, status=force-expired, returned to sender");
  EXPECT_EQ(record.kind, LogKind::kExpired);
  EXPECT_EQ(read("qmgr", "0F5383D: removed").kind, LogKind::kRemoved);
  EXPECT_EQ(read("postsuper", "0F5383D: removed").kind, LogKind::kRemoved);
  EXPECT_EQ(read("smtpd", "0F5383D: removed").kind, LogKind::kOther);
  record = read("cleanup", "0F5383D: message-id=<1.2@b.example>");
  EXPECT_EQ(record.kind, LogKind::kMessageId);
  EXPECT_EQ(record.message_id, "1.2@b.example");
  EXPECT_EQ(read("cleanup", "0F5383D: resent-message-id=<1@x>").kind, LogKind::kOther);
  record = read("bounce", "0F5383D: sender non-delivery notification: 3D74ADB7400B");
  EXPECT_EQ(record.kind, LogKind::kBounceNotice);
  EXPECT_EQ(record.notice, "non-delivery");
  EXPECT_EQ(record.notice_queue_id, "3D74ADB7400B");
  record = read("pickup", "0F5383D: uid=33 from=<www-data>");
  EXPECT_EQ(record.kind, LogKind::kPickup);
  EXPECT_EQ(record.sender, "www-data");
  EXPECT_EQ(to_string(record.kind), "other");
}

TEST(PostfixLog, ReadsTheClient) {
  struct Row {
    const char* written;
    const char* name;
    const char* address;
    const char* user;
  };
  const Row rows[] = {
      {"client=c.example[192.0.2.1]", "c.example", "192.0.2.1", ""},
      {"client=unknown[2001:db8::1]", "unknown", "2001:db8::1", ""},
      {"client=c.example[192.0.2.1]:40123", "c.example", "192.0.2.1", ""},
      {"client=c.example[192.0.2.1], sasl_method=PLAIN, sasl_username=u@b.example", "c.example",
       "192.0.2.1", "u@b.example"},
      {"client=c.example[192.0.2.1], sasl_method=LOGIN, sasl_username=a, b, sasl_sender=c",
       "c.example", "192.0.2.1", "a, b"},
      {"client=localhost[127.0.0.1], orig_queueid=3D74ADB7400B, orig_client=c.example[192.0.2.1]",
       "c.example", "192.0.2.1", ""},
      {"client=broken", "", "", ""},
  };
  for (const Row& row : rows) {
    const std::string line =
        std::string("Nov 24 17:24:14 mx1 postfix/submission/smtpd[7]: 0F5383D: ") + row.written;
    const LogRecord record = parse_log_line(line);
    EXPECT_EQ(record.kind, LogKind::kClient) << row.written;
    EXPECT_EQ(record.instance, "postfix");
    EXPECT_EQ(record.client_name, row.name) << row.written;
    EXPECT_EQ(record.client_address, row.address) << row.written;
    EXPECT_EQ(record.sasl_user, row.user) << row.written;
  }
}

TEST(PostfixLog, RefusalsAreMarkedAndAreNoDeliveries) {
  const std::string head = "Nov 24 17:24:14 mx1 postfix/smtpd[7]: NOQUEUE: ";
  const std::string envelope = "; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<x>";
  const std::string peer = " MAIL from c.example[192.0.2.1]: 451 4.7.1 ";
  const std::string own = head + "milter-reject:" + peer +
                          "192.0.2.1 exceeds 100 messages per hour (ipmit mail/det-7f3a until "
                          "2026-11-25T18:00Z)" +
                          envelope;
  EXPECT_EQ(parse_log_line(own).kind, LogKind::kRefusal);
  EXPECT_TRUE(parse_log_line(own).own_refusal);
  EXPECT_TRUE(parse_log_line(own).milter_refusal);
  const std::string other = head + "milter-reject:" + peer + "go away" + envelope;
  EXPECT_TRUE(parse_log_line(other).milter_refusal);
  EXPECT_FALSE(parse_log_line(other).own_refusal);
  const std::string local = head + "reject:" + peer + "Relay access denied" + envelope;
  EXPECT_EQ(parse_log_line(local).kind, LogKind::kRefusal);
  EXPECT_FALSE(parse_log_line(local).milter_refusal);
}

TEST(PostfixLog, WordsThatAreNoQueueId) {
  for (const char* message :
       {"warning: 0F5383D: removed", "statistics: max cache size 1", "fatal: no", "0F53: removed",
        "connect from c.example[192.0.2.1]", "0F5383D removed", "0F5383D:removed", "",
        "4jYqRf3bjjz1dnDm4jYqRf3bjjz1dnDm: removed"}) {
    const std::string line = std::string("Nov 24 17:24:14 mx1 postfix/qmgr[7]: ") + message;
    EXPECT_EQ(parse_log_line(line).queue_id, "") << message;
    EXPECT_EQ(parse_log_line(line).kind, LogKind::kOther) << message;
  }
}

TEST(PostfixLog, FindsTheReply) {
  struct Row {
    const char* text;
    int code;
    const char* enhanced;
  };
  const Row rows[] = {
      {"250 2.0.0 Ok: queued as 1234567", 250, "2.0.0"},
      {"host mx.example[192.0.2.9] said: 550-5.1.1 no 550 5.1.1 such user (in reply to RCPT TO)",
       550, "5.1.1"},
      {"host mx.example[192.0.2.9] said: 452 4.2.2 full", 452, "4.2.2"},
      {"host mx.example[192.0.2.9] refused to talk to me: 554 5.7.1 poor reputation", 554, "5.7.1"},
      {"host mx.example[192.0.2.9] said: 550 no such user", 550, ""},
      {"host mx.example[192.0.2.9] said: 550", 550, ""},
      {"host mx.example[192.0.2.9] said: 550 5.12.345 x", 550, "5.12.345"},
      {"host mx.example[192.0.2.9] said: 550 5.1 x", 550, ""},
      {"connect to mx.example[192.0.2.9]:25: Connection timed out", 0, ""},
      {"5500 is no reply", 0, ""},
      {"delivered to mailbox", 0, ""},
      {"", 0, ""},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(find_reply(row.text).code, row.code) << row.text;
    EXPECT_EQ(find_reply(row.text).enhanced_code, row.enhanced) << row.text;
  }
}

TEST(PostfixLog, AnyBytesAreALine) {
  for (const std::string& line :
       {std::string(), std::string("\0\0\0", 3), std::string("<"), std::string("<22>"),
        std::string("<22>1 "), std::string("Nov 24 17:24:14"), std::string("Nov 24 17:24:14 "),
        std::string("2026-11-24T17:24:14"), std::string(70000, '<'), std::string(70000, '"'),
        std::string(kHead) + "0F5383D: to=<" + std::string(70000, '"'),
        std::string(kHead) + "0F5383D: to=<\"\\", std::string(kHead) + "0F5383D: client=]["}) {
    std::string text;
    append_json(text, parse_log_line(line));
    EXPECT_FALSE(text.empty());
  }
}

}  // namespace
}  // namespace ipmit::events
