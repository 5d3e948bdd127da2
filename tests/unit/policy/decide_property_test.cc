// SPDX-License-Identifier: Apache-2.0
// Random rules and messages, with fixed seeds, against the reference.
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/policy/builders.h"
#include "tests/unit/policy/reference.h"

namespace ipmit::policy {
namespace {

// Draws from few values, so that rules and messages meet, nest and collide.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  std::uint32_t number(std::uint32_t below) {
    return static_cast<std::uint32_t>(engine_() % below);
  }
  bool once_in(std::uint32_t n) { return number(n) == 0; }

  IpAddress address() {
    if (once_in(3)) {
      std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
      for (const std::size_t i : {5u, 7u, 8u, 15u}) bytes[i] = byte();
      return IpAddress::from_v6(bytes);
    }
    return IpAddress::from_v4(
        {static_cast<std::uint8_t>(once_in(2) ? 203 : 255), byte(), byte(), byte()});
  }
  std::string domain() {
    std::string name = once_in(2) ? "com" : "example";
    for (std::uint32_t i = number(4); i > 0; --i)
      name = std::string(1, static_cast<char>('a' + number(3))) + '.' + name;
    return name;
  }
  std::string user() { return "user" + std::to_string(number(5)); }

  DomainPattern domain_pattern() { return pattern((once_in(2) ? "*." : "") + domain()); }
  Target any_target() {
    switch (number(4)) {
      case 0:
        return Target(domain_pattern());
      case 1:
        return Target(SaslUser{user()});
      default: {
        const IpAddress a = address();
        return Target(IpPrefix::of(
            a, once_in(2) ? a.width()
                          : 1 + static_cast<int>(number(static_cast<std::uint32_t>(a.width())))));
      }
    }
  }
  std::optional<TimePoint> time() {
    if (once_in(2)) return std::nullopt;
    return at(static_cast<int>(number(3)) - 1);
  }

  Mitigation mitigation(const std::string& name) {
    Mitigation m = rule(name, static_cast<Action>(number(7)), {});
    for (std::uint32_t i = 1 + number(3); i > 0; --i) m.targets.push_back(any_target());
    if (once_in(4)) m.mode = Mode::kDryRun;
    if (once_in(2)) m.priority = static_cast<int>(number(3)) - 1;
    if (once_in(4)) m.starts = time();
    if (once_in(4)) m.ends = time();
    if (m.rate_limit) {
      m.rate_limit->limit = 1 + number(3);
      if (once_in(2)) m.rate_limit->unit = RateUnit::kRecipients;
      if (once_in(2)) m.rate_limit->per = RateKey::kAddress;
    }
    if (once_in(5)) m.scope.sender_domains = {domain_pattern(), domain_pattern()};
    if (once_in(5)) m.scope.sasl_users = {SaslUser{user()}, SaslUser{user()}};
    if (once_in(3)) m.scope.recipient_domains = {domain_pattern(), domain_pattern()};
    canonicalise(m);
    return m;
  }
  MitigationSet::Source source(std::uint32_t rules) {
    MitigationSet::Source source;
    for (std::uint32_t i = 0; i < rules; ++i)
      source.mitigations.push_back(mitigation("r" + std::to_string(number(rules * 2))));
    for (std::uint32_t i = number(4); i > 0; --i)
      source.exemptions.push_back({.target = any_target(), .reason = "ours", .ends = time()});
    return source;
  }

  EnvelopeAddress recipient() {
    return EnvelopeAddress::parse((once_in(6) ? "postmaster@" : "u@") + domain());
  }
  std::vector<EnvelopeAddress> recipients(std::uint32_t most) {
    std::vector<EnvelopeAddress> all(number(most + 1));
    for (EnvelopeAddress& each : all) each = recipient();
    return all;
  }

 private:
  std::uint8_t byte() {
    constexpr std::array<std::uint8_t, 6> kBytes{0, 1, 127, 128, 254, 255};
    return kBytes[number(kBytes.size())];
  }
  std::mt19937 engine_;
};

struct RandomMessage {
  explicit RandomMessage(Random& random, Stage stage)
      : client(random.address()),
        user(random.once_in(2) ? random.user() : ""),
        sender(EnvelopeAddress::parse(random.once_in(6) ? "<>" : "s@" + random.domain())),
        recipients(random.recipients(stage == Stage::kMail   ? 0
                                     : stage == Stage::kRcpt ? 1
                                                             : 3)),
        accepted(random.recipients(stage == Stage::kRcpt ? 2 : 0)),
        known(!random.once_in(10)),
        local_pickup(random.once_in(5)) {}

  MessageFacts facts() const {
    return {.client = known ? &client : nullptr,
            .sasl_user = user,
            .sender = &sender,
            .recipients = recipients,
            .accepted = accepted,
            .local_pickup = local_pickup};
  }

  IpAddress client;
  std::string user;
  EnvelopeAddress sender;
  std::vector<EnvelopeAddress> recipients, accepted;
  bool known, local_pickup;
};

void expect_same(const MitigationSet& set, const Decision& got, const ReferenceAnswer& want) {
  EXPECT_EQ(got.action, want.action);
  EXPECT_EQ(got.rule ? set.rule(*got.rule).name : "", want.rule);
  EXPECT_EQ(got.matched_target, want.target);
  EXPECT_EQ(got.exempt.has_value(), !want.exempt.empty());
  if (got.exempt) {
    EXPECT_EQ(want.exempt.count(std::string(*got.exempt)), 1u) << *got.exempt;
  }
  std::set<std::string> charges, observed;
  for (const Charge& charge : got.charges)
    charges.insert(charge_text(charge.key, charge.units, charge.limit));
  for (const RuleId id : got.observed) observed.emplace(set.rule(id).name);
  EXPECT_EQ(charges, want.charges);
  EXPECT_EQ(observed, want.observed);
  EXPECT_EQ(charges.size(), got.charges.size());
  EXPECT_EQ(observed.size(), got.observed.size());
}

TEST(DecideProperty, AgreesWithTheReference) {
  std::size_t acted = 0, charged = 0, observed = 0, exempt = 0;
  for (unsigned seed = 1; seed <= 120; ++seed) {
    Random random(seed);
    const MitigationSet::Source source = random.source(1 + random.number(60));
    const auto set = MitigationSet::build(source);
    Decision decision;
    for (int i = 0; i < 60; ++i) {
      const auto stage = static_cast<Stage>(random.number(3));
      const RandomMessage message(random, stage);
      const DecideOptions options{.protect_null_sender = !random.once_in(4),
                                  .protect_postmaster = !random.once_in(4)};
      decide(*set, message.facts(), stage, at(0), options, decision);
      expect_same(*set, decision, reference_decide(source, message.facts(), stage, at(0), options));
      ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed << ", message " << i;
      acted += decision.rule ? 1 : 0;
      charged += decision.charges.empty() ? 0 : 1;
      observed += decision.observed.empty() ? 0 : 1;
      exempt += decision.exempt ? 1 : 0;
    }
  }
  // The cases are there at all.
  EXPECT_GT(acted, 500u);
  EXPECT_GT(charged, 100u);
  EXPECT_GT(observed, 200u);
  EXPECT_GT(exempt, 200u);
}

// Large enough for several levels of the index; every match with its target.
TEST(MitigationSetProperty, FindsAllMatchesOfManyRules) {
  for (const std::uint32_t rules : {15u, 16u, 17u, 300u, 5000u, 70000u}) {
    Random random(rules);
    MitigationSet::Source source;
    for (std::uint32_t i = 0; i < rules; ++i) {
      source.mitigations.push_back(random.mitigation("r" + std::to_string(i)));
    }
    const auto set = MitigationSet::build(source);
    std::vector<MitigationSet::Match> found;
    for (int i = rules > 10'000 ? 25 : 0; i < 30; ++i) {
      const RandomMessage message(random, Stage::kMail);
      const MessageFacts facts = message.facts();
      std::set<std::string> got, want;
      found.clear();
      set->find(facts.client, facts.sasl_user, facts.sender->domain(), found);
      for (const auto& match : found)
        got.insert(std::string(set->rule(match.rule).name) + ' ' + set->target_text(match.target));
      for (const Mitigation& mitigation : source.mitigations)
        if (const Target* target = reference_target(mitigation, facts))
          want.insert(mitigation.name + ' ' + target->to_string());
      ASSERT_EQ(got, want) << rules << " rules, message " << i;
      ASSERT_EQ(got.size(), found.size());
    }
  }
}

}  // namespace
}  // namespace ipmit::policy
