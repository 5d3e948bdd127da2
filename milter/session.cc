// SPDX-License-Identifier: Apache-2.0
#include "milter/session.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "events/trace_token.h"
#include "milter/fallback.h"
#include "milter/message_state.h"
#include "policy/text.h"

namespace ipmit::milter {
namespace {

using policy::Action;
using policy::SmtpReply;
using policy::Stage;

constexpr std::string_view kRouteHeader = "X-Ipmit-Route";
constexpr std::string_view kHoldHeader = "X-Ipmit-Hold";
constexpr std::string_view kDiscardHeader = "X-Ipmit-Discard";

std::uint16_t to_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() ? port : std::uint16_t{0};
}

bool contains(const std::vector<policy::IpPrefix>& networks, const policy::IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const policy::IpPrefix& network) { return network.contains(address); });
}

// A Charge's key is the rule's name, a separator, and what the budget is for.
std::string_view budget_text(const policy::Charge& charge, std::string_view rule_name) {
  const std::string_view key = charge.key;
  return key.size() > rule_name.size() ? key.substr(rule_name.size() + 1) : key;
}

// Printable ASCII in one line: what a header we make may hold.
std::string header_text(std::string_view text) {
  std::string line(text.substr(0, 200));
  for (char& c : line) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return line;
}

}  // namespace

Session::Session(const SessionServices& services, std::string id)
    : services_(services), id_(std::move(id)), options_(services.options) {}

Session::~Session() {
  close();
}

void Session::connect(const ClientFacts& client) {
  abort();
  client_ = client.address;
  probe_ = !services_.probe_host.empty() && client.host == services_.probe_host;
  if (probe_) return;
  services_.metrics.connections.add();
  const SessionOptions& options = options_.current();
  daemon_port_ = to_port(client.daemon_port);
  reentry_ = daemon_port_ != 0 && std::count(options.reentry_ports.begin(),
                                             options.reentry_ports.end(), daemon_port_) > 0;
  // pickup(8) and the like: cleanup(8) is the client then, it knows no port of either side.
  local_pickup_ = client_ && client_->is_loopback() && client.port == 0 && daemon_port_ == 0;
  never_match_ = client_ && contains(options.never_match_networks, *client_);
  const TimePoint now = services_.clock();
  if (!client_) {
    services_.metrics.clients_unknown.add();
    services_.log.warn(DecisionLog::Warning::kClientUnknown, "session", id_, now);
  } else if (never_match_ && !client_->is_loopback()) {
    services_.metrics.clients_never_match.add();
    services_.log.warn(DecisionLog::Warning::kClientNeverMatch, "client_address",
                       client_->to_string(), now);
  }
}

Verdict Session::mail_from(const SenderFacts& sender) {
  abort();
  start_message(sender);
  Verdict verdict;
  if (is_undecided()) return verdict;
  std::optional<Outcome> refused = no_rules_outcome(verdict);
  if (!refused && !local_pickup_) {
    find_candidates();
    if (!message_->matches_nothing()) take_queue_id(sender.queue_id);
    refused = ask(Stage::kMail, {}, verdict);
  }
  if (refused) end_message(*refused);
  return verdict;
}

Verdict Session::rcpt_to(const RecipientFacts& recipient) {
  Verdict verdict;
  if (!message_) return verdict;
  if (is_undecided()) return verdict;
  if (recipient.mailer == "error") {
    services_.metrics.count(RecipientOutcome::kRefusedByMta);
    return verdict;
  }
  if (message_->exempt || message_->matches_nothing()) {
    services_.metrics.count(RecipientOutcome::kAccepted);
    return verdict;
  }
  take_queue_id(recipient.queue_id);
  const auto address = policy::EnvelopeAddress::parse(recipient.argument);
  if (!local_pickup_) {
    if (const auto refused = ask(Stage::kRcpt, {&address, 1}, verdict)) {
      services_.metrics.count(to_recipient_outcome(*refused));
      return verdict;
    }
  }
  services_.metrics.count(RecipientOutcome::kAccepted);
  message_->recipients.push_back(address);
  return verdict;
}

Verdict Session::end_of_message(std::string_view queue_id) {
  Verdict verdict;
  if (!message_) return verdict;
  if (!queue_id.empty()) message_->queue_id = queue_id;
  if (is_undecided()) {
    end_message(Outcome::kReentry);
    return verdict;
  }
  if (message_->queue_id.empty()) {
    services_.metrics.macros_missing.add();
    services_.log.warn(DecisionLog::Warning::kQueueIdMissing, "session", id_, services_.clock());
  }
  const std::optional<Outcome> outcome = ask(Stage::kEndOfMessage, message_->recipients, verdict);
  if (!verdict.reply) {
    message_->reserved.clear();  // used
    add_trace(verdict);
  }
  end_message(outcome.value_or(message_->exempt ? Outcome::kExempt : Outcome::kAccepted));
  return verdict;
}

void Session::abort() {
  if (message_) end_message(Outcome::kAborted);
}

void Session::close() {
  abort();
}

void Session::fail() {
  if (message_) end_message(Outcome::kFailed);
}

void Session::start_message(const SenderFacts& sender) {
  message_ = spare_ ? std::move(spare_) : std::make_unique<MessageState>();
  if (!probe_) {
    services_.metrics.messages_started.add();
    services_.metrics.messages_open.add(1);
  }
  MessageState& message = *message_;
  message.now = services_.clock();
  message.rules = services_.rules.current();
  message.options = &options_.current();
  message.rule_state = services_.rule_state(message.now);
  message.sender = policy::EnvelopeAddress::parse(sender.argument);
  message.sasl_user = policy::to_lower(sender.sasl_user);
  // Address rules are not for proxies and pods, but an exemption of such a network still counts.
  message.exempt =
      never_match_ && message.rules->exemption(&*client_, {}, {}, message.now).has_value();
}

void Session::take_queue_id(const LazyMacro& macro) {
  const std::string_view queue_id = macro.get();
  if (!queue_id.empty()) message_->queue_id = queue_id;
}

void Session::find_candidates() {
  if (message_->candidates) return;
  policy::find_candidates(*message_->rules, facts({}), message_->now,
                          message_->candidates.emplace());
}

void Session::end_message(Outcome outcome) {
  for (const ObservedRule& observed : message_->observed) {
    const policy::MitigationSet::Rule rule = message_->rules->rule(observed.rule);
    log_rule(rule, rule.action,
             {.stage = observed.stage, .asked = observed.asked, .observed = true}, nullptr);
  }
  if (!message_->reserved.empty()) {
    services_.limiter.refund(message_->reserved, services_.clock());
    services_.metrics.limiter_refunds.add();
  }
  if (message_->is_large()) {
    message_.reset();
  } else {
    message_->clear();
    spare_ = std::move(message_);
  }
  if (probe_) return;
  services_.metrics.messages_open.add(-1);
  services_.metrics.count(outcome);
}

// Messages that pass without a look at the rules.
bool Session::is_undecided() const {
  return probe_ || reentry_;
}

std::optional<Outcome> Session::no_rules_outcome(Verdict& verdict) {
  if (message_->rule_state != RuleState::kNone) return std::nullopt;
  services_.metrics.fallback_used.add();
  services_.log.warn(DecisionLog::Warning::kNoRules, "session", id_, message_->now);
  if (fallback_decision(message_->rule_state, std::nullopt, message_->options->fallback) !=
      Fallback::kTempfail) {
    return std::nullopt;
  }
  verdict.reply = unavailable_reply();
  return Outcome::kFallback;
}

policy::MessageFacts Session::facts(std::span<const policy::EnvelopeAddress> asked) const {
  return {.client = client_ && !never_match_ ? &*client_ : nullptr,
          .sasl_user = message_->sasl_user,
          .sender = &message_->sender,
          .recipients = asked,
          .accepted = message_->recipients,
          .local_pickup = local_pickup_};
}

// What the rules say now: the reply is in `verdict` if the outcome is a refusal; unset: go on.
std::optional<Outcome> Session::ask(Stage stage, std::span<const policy::EnvelopeAddress> asked,
                                    Verdict& verdict) {
  MessageState& message = *message_;
  if (message.exempt || message.matches_nothing()) return std::nullopt;
  if (stage != Stage::kMail) message.now = services_.clock();
  find_candidates();
  policy::decide(*message.rules, *message.candidates, facts(asked), stage, message.now,
                 message.options->decide, decision_);
  stage_ = stage;
  asked_ = asked;
  if (decision_.exempt) {
    message.exempt = true;
    return std::nullopt;
  }
  report_observed();
  if (decision_.rule && (decision_.action == Action::kDefer || decision_.action == Action::kReject))
    return apply_rule(*decision_.rule, decision_.action, decision_.matched_target, verdict);
  if (const auto refused = charge(verdict)) return refused;
  if (!decision_.rule || decision_.action == Action::kObserve) return std::nullopt;
  return apply_rule(*decision_.rule, decision_.action, decision_.matched_target, verdict);
}

std::optional<Outcome> Session::charge(Verdict& verdict) {
  if (decision_.charges.empty()) return std::nullopt;
  MessageState& message = *message_;
  const auto fallback =
      fallback_decision(message.rule_state, Action::kThrottle, message.options->fallback);
  std::size_t refused = 0;
  if (fallback == Fallback::kEnforce) {
    const Limiter::Result result = services_.limiter.charge(decision_.charges, message.now);
    if (result.ok()) {
      message.reserved.insert(message.reserved.end(), decision_.charges.begin(),
                              decision_.charges.end());
      return std::nullopt;
    }
    refused = *result.refused;
  }
  const policy::Charge& charged = decision_.charges[refused];
  return apply_rule(charged.rule, Action::kThrottle,
                    budget_text(charged, message.rules->rule(charged.rule).name), verdict);
}

std::optional<Outcome> Session::apply_rule(policy::RuleId id, Action action,
                                           std::string_view matched, Verdict& verdict) {
  MessageState& message = *message_;
  const policy::MitigationSet::Rule rule = message.rules->rule(id);
  const auto fallback = fallback_decision(message.rule_state, action, message.options->fallback);
  if (message.rule_state == RuleState::kStale || message.rule_state == RuleState::kFromDisk) {
    services_.log.warn(DecisionLog::Warning::kRulesStale, "mitigation", rule.name, message.now);
  }
  if (fallback != Fallback::kEnforce) services_.metrics.fallback_used.add();
  if (fallback == Fallback::kAccept) return std::nullopt;
  if (fallback == Fallback::kTempfail) {
    verdict.reply = unavailable_reply();
    log_rule(rule, action, asking(), &*verdict.reply);
    return Outcome::kFallback;
  }
  if (action == Action::kReroute && !may_reroute(rule)) return std::nullopt;
  services_.metrics.count_rule(action, false);
  services_.hits.add(rule.name, message.now);
  if (action == Action::kQuarantine || action == Action::kReroute || action == Action::kDiscard) {
    route(rule, action, verdict);
  } else {
    verdict.reply = policy::reply_for(rule, matched);
    // A Reject that decide() softened to Defer (local pickup) has a permanent text.
    if (action != Action::kReject && verdict.reply->is_permanent()) {
      verdict.reply = SmtpReply::tempfail(verdict.reply->text());
    }
  }
  log_rule(rule, action, asking(), verdict.reply ? &*verdict.reply : nullptr);
  return to_outcome(action);
}

// Postfix would defer mail for a transport it does not have, for days.
bool Session::may_reroute(const policy::MitigationSet::Rule& rule) {
  const std::vector<std::string>& known = message_->options->reroute_transports;
  if (std::find(known.begin(), known.end(), rule.reroute_transport) != known.end()) return true;
  services_.metrics.reroutes_refused.add();
  services_.log.warn(DecisionLog::Warning::kUnknownTransport, "transport", rule.reroute_transport,
                     message_->now, rule.name);
  return false;
}

void Session::report_observed() {
  MessageState& message = *message_;
  for (const policy::RuleId id : decision_.observed) {
    const bool known =
        std::any_of(message.observed.begin(), message.observed.end(),
                    [&](const ObservedRule& observed) { return observed.rule == id; });
    if (known) continue;
    message.observed.push_back({id, stage_, {asked_.begin(), asked_.end()}});
    const policy::MitigationSet::Rule rule = message.rules->rule(id);
    services_.metrics.count_rule(rule.action, true);
    services_.hits.add(rule.name, message.now);
  }
}

// Postfix's milter_header_checks act on a header that we add; deleting it again in the same breath
// leaves the effect and takes the header out of the mail.
void Session::route(const policy::MitigationSet::Rule& rule, Action action, Verdict& verdict) {
  std::string name, value;
  if (action == Action::kReroute) {
    name = kRouteHeader;
    value = rule.reroute_transport;
  } else {
    name = action == Action::kQuarantine ? kHoldHeader : kDiscardHeader;
    value = header_text("ipmit " + std::string(rule.name) + ": " + std::string(rule.reason));
  }
  verdict.edits.push_back({HeaderEdit::Kind::kAdd, name, value});
  verdict.edits.push_back({HeaderEdit::Kind::kDelete, name, {}});
}

// First of the edits: a message that is routed away always carries its trace.
void Session::add_trace(Verdict& verdict) const {
  const MessageState& message = *message_;
  if (!message.options->trace_box) return;
  events::TraceFields fields;
  fields.time = services_.clock();
  if (!local_pickup_) fields.client = client_;
  fields.sasl_user = message.sasl_user;
  fields.sender_domain = message.sender.domain();
  fields.queue_id = message.queue_id;
  verdict.edits.insert(
      verdict.edits.begin(),
      {HeaderEdit::Kind::kInsertFirst, std::string(events::kTraceHeader),
       events::fold_trace(events::seal_trace(*message.options->trace_box, fields))});
}

Session::Asking Session::asking() const {
  return {.stage = stage_, .asked = asked_, .observed = false};
}

void Session::log_rule(const policy::MitigationSet::Rule& rule, Action action, const Asking& asking,
                       const SmtpReply* reply) const {
  services_.log.decision({.session = id_,
                          .stage = asking.stage,
                          .action = policy::to_string(action),
                          .observed = asking.observed,
                          .mitigation = rule.name,
                          .reason = rule.reason,
                          .queue_id = message_->queue_id,
                          .client = client_ ? &*client_ : nullptr,
                          .sasl_user = message_->sasl_user,
                          .sender = &message_->sender,
                          .recipients = asking.asked,
                          .reply = reply});
}

}  // namespace ipmit::milter
