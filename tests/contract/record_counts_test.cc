// SPDX-License-Identifier: Apache-2.0
// Delivery statistics and fingerprints.
#include <optional>
#include <thread>

#include <gmock/gmock.h>

#include "tests/contract/record_contract.h"
#include "tests/support/process.h"

namespace ipmit::test {
namespace {

using common::KeyRing;
using common::SecretBox;
using schema::DeliveryCount;
using schema::DeliveryStatistics;
using schema::Fingerprints;
using schema::fingerprints_of;
using std::chrono::days;
using std::chrono::hours;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using TargetKind = DeliveryStatistics::TargetKind;
using Ranked = DeliveryStatistics::Ranked;

TEST_P(RecordContract, CountsADeliveryOnce) {
  const std::vector<DeliveryCount> counts = {{today_, "192.0.2.1", "delivered", 7},
                                             {today_, "192.0.2.1", "bounced", 2},
                                             {today_, "192.0.2.1", "bounced", 1},
                                             {today_ - days(1), "192.0.2.1", "bounced", 4},
                                             {today_, "user:alice", "bounced", 9}};
  EXPECT_FALSE(record().add("log 0-100", counts, now_).repeated);
  EXPECT_TRUE(record().add("log 0-100", counts, now_).repeated) << "the writer was not sure";
  EXPECT_FALSE(record().add("log 100-200", {counts[0]}, now_).repeated);
  EXPECT_THAT(record().counts_of("192.0.2.1", {today_ - days(1), today_}),
              ElementsAre(DeliveryCount{today_ - days(1), "192.0.2.1", "bounced", 4},
                          DeliveryCount{today_, "192.0.2.1", "bounced", 3},
                          DeliveryCount{today_, "192.0.2.1", "delivered", 14}));
  EXPECT_EQ(record().counts_of("192.0.2.1", {today_, today_}).size(), 2U);
  EXPECT_THAT(record().counts_of("192.0.2.1", {today_ + days(1), today_ + days(2)}), IsEmpty());
  EXPECT_THAT(record().counts_of("192.0.2.2", {today_, today_}), IsEmpty());
}

TEST_P(RecordContract, LeavesOutDaysThatNobodyCanMean) {
  const auto added = record().add("b",
                                  {{today_ - days(367), "192.0.2.1", "bounced", 1},
                                   {today_ - days(366), "192.0.2.1", "bounced", 2},
                                   {today_ + days(7), "192.0.2.1", "bounced", 3},
                                   {today_ + days(8), "192.0.2.1", "bounced", 4}},
                                  now_);
  EXPECT_EQ(added.ignored, 2U);
  EXPECT_THAT(record().counts_of("192.0.2.1", {today_ - days(400), today_ + days(30)}),
              ElementsAre(Field(&DeliveryCount::events, 2U), Field(&DeliveryCount::events, 3U)));
}

TEST_P(RecordContract, RanksTargets) {
  record().add("b",
               {{today_, "192.0.2.1", "user_unknown", 5},
                {today_, "192.0.2.1", "delivered", 1'000},
                {today_, "2001:db8::/64", "user_unknown", 7},
                {today_ - days(1), "2001:db8::/64", "mailbox_full", 1},
                {today_, "192.0.2.3", "user_unknown", 5},
                {today_, "user:alice", "user_unknown", 9},
                {today_, "domain:example.com", "user_unknown", 3}},
               now_);
  const DeliveryStatistics::Span both{today_ - days(1), today_};
  const std::vector<std::string> bad = {"user_unknown", "mailbox_full"};
  EXPECT_THAT(
      record().top(TargetKind::kAddress, bad, both, 10),
      ElementsAre(Ranked{"2001:db8::/64", 8}, Ranked{"192.0.2.1", 5}, Ranked{"192.0.2.3", 5}));
  EXPECT_THAT(record().top(TargetKind::kAddress, bad, {today_, today_}, 1),
              ElementsAre(Ranked{"2001:db8::/64", 7}));
  EXPECT_THAT(record().top(TargetKind::kAddress, {}, both, 1),
              ElementsAre(Ranked{"192.0.2.1", 1'005}));
  EXPECT_THAT(record().top(TargetKind::kUser, bad, both, 10), ElementsAre(Ranked{"user:alice", 9}));
  EXPECT_THAT(record().top(TargetKind::kDomain, bad, both, 10),
              ElementsAre(Ranked{"domain:example.com", 3}));
}

// Replicas of the detector add at the same time, also the same batch, also to a new day.
TEST_P(RecordContract, SeveralWritersLoseNothing) {
  constexpr int kWriters = 4, kBatches = 20;
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < kWriters; ++writer)
      writers.emplace_back([&, writer] {
        const auto own = schema::open_record(backend().url(), false);
        for (int i = 0; i < kBatches; ++i) {
          std::vector<DeliveryCount> counts;
          for (int n = 0; n < 50; ++n)
            counts.push_back({today_ - days(i % 3),
                              "192.0.2." + std::to_string((n * 7 + writer) % 50), "bounced", 1});
          const std::string name = std::to_string(i);
          own->add("shared " + name, {{today_, "user:shared", "bounced", 1}}, now_);
          own->add(std::to_string(writer) + " " + name, counts, now_);
        }
      });
  }
  const DeliveryStatistics::Span all{today_ - days(3), today_};
  EXPECT_THAT(record().top(TargetKind::kUser, {}, all, 10),
              ElementsAre(Ranked{"user:shared", kBatches}));
  std::uint64_t events = 0;
  for (const auto& ranked : record().top(TargetKind::kAddress, {}, all, 100)) {
    EXPECT_EQ(ranked.events, static_cast<std::uint64_t>(kWriters * kBatches)) << ranked.target;
    events += ranked.events;
  }
  EXPECT_EQ(events, 50U * kWriters * kBatches);
}

// A ring with keys that differ, and the older ring before its newest key was added.
class Keys {
 public:
  Keys() {
    KeyRing::create_file(file());
    older_.emplace(KeyRing::load(file()));
    KeyRing::rotate_file(file(), 2);
    newer_.emplace(KeyRing::load(file()));
  }
  const SecretBox& older() const { return *older_; }
  const SecretBox& newer() const { return *newer_; }

 private:
  std::filesystem::path file() const { return directory_ / "keys"; }
  TempDir directory_{"keys"};
  std::optional<SecretBox> older_, newer_;
};

TEST_P(RecordContract, KnowsTrapsAgain) {
  const Keys keys;
  const auto trap = [](const SecretBox& box, std::string_view who) {
    return fingerprints_of(box, who);
  };
  EXPECT_EQ(record().add_traps(
                {trap(keys.older(), "trap1@example.com"), trap(keys.older(), "trap2@example.com")},
                "list one", now_),
            2U);
  EXPECT_EQ(record().add_traps({trap(keys.newer(), "Trap1@EXAMPLE.com"),
                                trap(keys.newer(), "<trap3@example.com>")},
                               "list two", now_),
            1U)
      << "one of them is known, under an older key";
  EXPECT_THAT(record().are_traps({trap(keys.newer(), "trap1@example.com"),
                                  trap(keys.newer(), "bob@example.com"),
                                  trap(keys.newer(), "trap3@example.com")}),
              ElementsAre(true, false, true));
  EXPECT_THAT(record().key_use(),
              ElementsAre(Fingerprints::KeyUse{1, 2, 0}, Fingerprints::KeyUse{2, 1, 0}));
  EXPECT_EQ(record().remove_traps("list one"), 2U);
  EXPECT_EQ(record().remove_traps("list one"), 0U);
  EXPECT_THAT(record().are_traps({trap(keys.newer(), "trap1@example.com"),
                                  trap(keys.newer(), "trap3@example.com")}),
              ElementsAre(false, true));
}

TEST_P(RecordContract, CountsBouncesOfTheDead) {
  const Keys keys;
  const auto bob = [](const SecretBox& box) { return fingerprints_of(box, "bob@example.com"); };
  const auto carol = fingerprints_of(keys.newer(), "carol@example.com");
  const std::vector<Fingerprints::Bounce> two = {{bob(keys.older()), now_ - hours(3)},
                                                 {bob(keys.older()), now_ - hours(2)}};
  record().note_bounces(two);
  record().note_bounces(two);  // sent again
  const Fingerprints::Dead dead{2, now_ - hours(3), now_ - hours(2)};
  EXPECT_THAT(record().find_dead({bob(keys.newer()), carol}), ElementsAre(dead, std::nullopt));

  record().note_bounces({{bob(keys.newer()), now_ - hours(1)}, {carol, now_}});
  EXPECT_THAT(record().find_dead({bob(keys.newer()), carol}),
              ElementsAre(Fingerprints::Dead{3, now_ - hours(3), now_ - hours(1)},
                          Fingerprints::Dead{1, now_, now_}));
  EXPECT_THAT(record().key_use(), ElementsAre(Fingerprints::KeyUse{2, 0, 2}))
      << "moved to the newest key";

  record().forget_dead({bob(keys.newer())});
  EXPECT_THAT(record().find_dead({bob(keys.newer()), carol}),
              ElementsAre(std::nullopt, Fingerprints::Dead{1, now_, now_}));
}

TEST_P(RecordContract, AsksForMany) {
  const Keys keys;
  std::vector<schema::RecipientFingerprints> recipients;
  std::vector<Fingerprints::Bounce> bounces;
  for (int i = 0; i < 2'000; ++i) {
    recipients.push_back(fingerprints_of(keys.newer(), std::to_string(i) + "@example.com"));
    if (i % 2 == 0) bounces.push_back({recipients.back(), now_});
  }
  record().note_bounces(bounces);
  const auto dead = record().find_dead(recipients);
  ASSERT_EQ(dead.size(), recipients.size());
  for (std::size_t i = 0; i < dead.size(); ++i) EXPECT_EQ(dead[i].has_value(), i % 2 == 0) << i;
}

TEST(RecipientFingerprints, AreOfTheAddressAlone) {
  const Keys keys;
  const auto want = fingerprints_of(keys.newer(), "bob@example.com");
  ASSERT_EQ(want.size(), 2U);
  EXPECT_EQ(want[0].key_id, 2);
  EXPECT_EQ(want[1], fingerprints_of(keys.older(), "bob@example.com")[0]);
  for (const char* same : {"<bob@example.com>", "BOB@Example.COM", " bob@example.com "})
    EXPECT_EQ(fingerprints_of(keys.newer(), same), want) << same;
  for (const char* other : {"bo.b@example.com", "bob@example.org", "bob", "<>"})
    EXPECT_NE(fingerprints_of(keys.newer(), other), want) << other;
}

}  // namespace
}  // namespace ipmit::test
