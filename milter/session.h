// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/snapshot.h"
#include "milter/decision_log.h"
#include "milter/hit_recorder.h"
#include "milter/limiter.h"
#include "milter/milter_metrics.h"
#include "milter/options.h"
#include "milter/rule_feed.h"
#include "milter/verdict.h"
#include "policy/decide.h"

namespace ipmit::milter {

struct MessageState;  // message_state.h

// What sessions share; all of it is thread-safe and outlives them.
struct SessionServices {
  const common::Snapshot<policy::MitigationSet>& rules;
  const common::Snapshot<SessionOptions>& options;
  Limiter& limiter;
  const MilterMetrics& metrics;
  DecisionLog& log;
  HitRecorder& hits;
  std::function<RuleState(TimePoint)> rule_state;
  std::function<TimePoint()> clock = common::now;
  std::string probe_host;  // the connect name of our own probe: not mail, not counted
};

// A macro that is looked up only where it is needed: libmilter searches all that Postfix has sent.
class LazyMacro {
 public:
  using Lookup = std::string_view (*)(void* context);

  LazyMacro() = default;  // empty
  LazyMacro(Lookup lookup, void* context) : lookup_(lookup), context_(context) {}

  std::string_view get() const {
    return lookup_ == nullptr ? std::string_view{} : lookup_(context_);
  }

 private:
  Lookup lookup_ = nullptr;
  void* context_ = nullptr;
};

// What Postfix tells of a client. Strings are read during the call only; an empty macro is the same
// as a missing one.
struct ClientFacts {
  std::string_view host{};
  std::optional<policy::IpAddress> address{};  // unset: no sockaddr, or not an IP one
  std::uint16_t port = 0;
  std::string_view daemon_port{};  // {daemon_port}
};
struct SenderFacts {
  std::string_view argument{};   // "<a@example.com>", "<>", or for local pickup without brackets
  std::string_view sasl_user{};  // {auth_authen}
  LazyMacro queue_id{};          // i
};
struct RecipientFacts {
  std::string_view argument{};
  std::string_view mailer{};  // {rcpt_mailer}: "error" if Postfix has refused it already
  LazyMacro queue_id{};
};

// One SMTP connection as Postfix's milter client shows it: connect, then any number of messages
// (mail_from, rcpt_to…, end_of_message), close. Calls may come in any order and any of them may be
// missing or repeated: mail_from starts anew, abort without a message does nothing. One snapshot of
// rules and one of options is held from mail_from to the end of the message.
//
// Quota is reserved when a message or recipient is let through, kept at end of message, and given
// back when the message ends in any other way. One thread at a time; a call waits for the limiter
// and for nothing else. Throws only std::bad_alloc.
class Session {
 public:
  Session(const SessionServices& services, std::string id);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void connect(const ClientFacts& client);
  Verdict mail_from(const SenderFacts& sender);
  Verdict rcpt_to(const RecipientFacts& recipient);
  Verdict end_of_message(std::string_view queue_id);
  void abort();
  void close();
  // After an exception: the message is counted as kFailed and forgotten.
  void fail();

  const std::string& id() const { return id_; }
  bool is_probe() const { return probe_; }

 private:
  // Which question a log line is about.
  struct Asking {
    policy::Stage stage;
    std::span<const policy::EnvelopeAddress> asked;
    bool observed;
  };

  void start_message(const SenderFacts& sender);
  void take_queue_id(const LazyMacro& macro);
  void find_candidates();
  policy::MessageFacts facts(std::span<const policy::EnvelopeAddress> asked) const;
  void end_message(Outcome outcome);
  bool is_undecided() const;
  std::optional<Outcome> ask(policy::Stage stage, std::span<const policy::EnvelopeAddress> asked,
                             Verdict& verdict);
  std::optional<Outcome> charge(Verdict& verdict);
  std::optional<Outcome> apply_rule(policy::RuleId id, policy::Action action,
                                    std::string_view matched, Verdict& verdict);
  std::optional<Outcome> no_rules_outcome(Verdict& verdict);
  bool may_reroute(const policy::MitigationSet::Rule& rule);
  void report_observed();
  void route(const policy::MitigationSet::Rule& rule, policy::Action action, Verdict& verdict);
  void add_trace(Verdict& verdict) const;
  Asking asking() const;
  void log_rule(const policy::MitigationSet::Rule& rule, policy::Action action,
                const Asking& asking, const policy::SmtpReply* reply) const;

  const SessionServices& services_;
  const std::string id_;
  common::SnapshotReader<SessionOptions> options_;  // asked between messages only

  std::optional<policy::IpAddress> client_;
  bool never_match_ = false;
  bool reentry_ = false;
  bool local_pickup_ = false;
  bool probe_ = false;
  std::uint16_t daemon_port_ = 0;

  std::unique_ptr<MessageState> message_;
  std::unique_ptr<MessageState> spare_;  // the last one, cleared

  // Of the question being answered.
  policy::Stage stage_ = policy::Stage::kMail;
  std::span<const policy::EnvelopeAddress> asked_;
  policy::Decision decision_;  // reused: keeps its allocations
};

}  // namespace ipmit::milter
