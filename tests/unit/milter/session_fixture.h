// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "milter/session.h"

namespace ipmit::milter {

// Refuses the charges whose key it was told; remembers the balance of all others.
class FakeLimiter : public Limiter {
 public:
  Result charge(std::span<const policy::Charge> charges, TimePoint) override {
    ++calls;
    for (std::size_t i = 0; i < charges.size(); ++i) {
      if (charges[i].key == refuse) return {i, Duration{1000}};
    }
    for (const policy::Charge& charge : charges) taken += charge.units;
    return {};
  }
  void refund(std::span<const policy::Charge> charges, TimePoint) override {
    for (const policy::Charge& charge : charges) taken -= charge.units;
  }
  std::string refuse;
  std::int64_t taken = 0;
  int calls = 0;
};

inline policy::Mitigation rule(std::string_view name, std::string_view target,
                               policy::Action action) {
  policy::Mitigation made;
  made.name = name;
  made.targets = {policy::Target::parse(target).value()};
  made.action = action;
  made.reason = "because";
  if (action == policy::Action::kThrottle) {
    made.rate_limit = policy::RateLimit{.limit = 2, .period = std::chrono::hours(1), .burst = 2};
  }
  if (action == policy::Action::kReroute) made.reroute_transport = "slow";
  return made;
}

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    options_.reroute_transports = {"slow"};
    publish();
  }

  void rules(std::vector<policy::Mitigation> mitigations,
             std::vector<policy::Exemption> exemptions = {}) {
    policy::MitigationSet::Source source;
    source.mitigations = std::move(mitigations);
    source.exemptions = std::move(exemptions);
    rules_.publish(policy::MitigationSet::build(source));
  }
  void publish() { snapshot_.publish(std::make_shared<SessionOptions>(options_)); }

  Session& connect(std::string_view address = "198.51.100.7", std::uint16_t port = 4000,
                   std::string_view daemon_port = "25") {
    session_ = std::make_unique<Session>(services_, "s1");
    session_->connect({.host = "client.example",
                       .address = policy::IpAddress::parse(address),
                       .port = port,
                       .daemon_port = daemon_port});
    return *session_;
  }
  static Verdict mail(Session& session, std::string_view sender = "<a@example.com>",
                      std::string_view user = {}) {
    return session.mail_from({.argument = sender, .sasl_user = user});
  }
  static Verdict rcpt(Session& session, std::string_view recipient = "<b@example.net>",
                      std::string_view mailer = "smtp") {
    return session.rcpt_to({.argument = recipient, .mailer = mailer});
  }
  double outcome(std::string_view name) {
    return registry_.counter("ipmit_milter_messages_total", "", {{"outcome", name}}).value();
  }

  common::Metrics registry_;
  MilterMetrics metrics_{registry_};
  DecisionLog log_;
  HitRecorder hits_{{}, Duration{1000}};
  FakeLimiter limiter_;
  SessionOptions options_;
  common::Snapshot<policy::MitigationSet> rules_{std::make_shared<policy::MitigationSet>()};
  common::Snapshot<SessionOptions> snapshot_{std::make_shared<SessionOptions>()};
  RuleState state_ = RuleState::kFresh;
  TimePoint now_ = common::parse_rfc3339("2026-11-25T12:00:00Z").value();
  SessionServices services_{.rules = rules_,
                            .options = snapshot_,
                            .limiter = limiter_,
                            .metrics = metrics_,
                            .log = log_,
                            .hits = hits_,
                            .rule_state = [this](TimePoint) { return state_; },
                            .clock = [this] { return now_; },
                            .probe_host = "probe.1"};
  std::unique_ptr<Session> session_;
};

}  // namespace ipmit::milter
