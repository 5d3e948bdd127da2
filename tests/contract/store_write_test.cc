// SPDX-License-Identifier: Apache-2.0
#include <tuple>

#include "policy/mitigation.h"
#include "schema/mitigation_json.h"
#include "tests/contract/store_contract.h"

namespace ipmit::test {
namespace {

using policy::Exemption;
using policy::Mitigation;
using policy::Origin;
using schema::AuditRow;
using schema::exemption_from_json;
using schema::mitigation_from_json;
using schema::PutMode;
using schema::PutResult;
using std::chrono::hours;
using std::chrono::milliseconds;

TEST_P(StoreContract, NewStoreIsEmptyAtRevisionZero) {
  const auto loaded = store().load();
  EXPECT_EQ(loaded.set.revision, 0U);
  EXPECT_TRUE(loaded.set.mitigations.empty());
  EXPECT_TRUE(loaded.set.exemptions.empty());
  EXPECT_FALSE(loaded.epoch.empty());
  EXPECT_TRUE(store().audit("", 10).empty());
}

TEST_P(StoreContract, EveryMemberComesBack) {
  for (Mitigation mitigation :
       {make_mitigation("small", "192.0.2.0/24"), make_full_mitigation("full")}) {
    ASSERT_EQ(store().put(mitigation, PutMode::kAddOnly, kNote, kNoon), PutResult::kAdded);
    EXPECT_EQ(store().find(mitigation.name), mitigation);
  }
  Mitigation reroute = make_mitigation("reroute", "user:dave");
  reroute.action = policy::Action::kReroute;
  reroute.reroute_transport = "slow-out";
  ASSERT_EQ(store().put(reroute, PutMode::kAddOnly, kNote, kNoon), PutResult::kAdded);
  EXPECT_EQ(store().find("reroute"), reroute);
  EXPECT_EQ(store().find("reroute2"), std::nullopt);
}

TEST_P(StoreContract, PutCanonicalises) {
  Mitigation mitigation = make_mitigation("m", "203.0.113.9");
  mitigation.targets = {target_of("203.0.113.9"), target_of("192.0.2.1"), target_of("203.0.113.9")};
  store().put(mitigation, PutMode::kAddOnly, kNote, kNoon);
  EXPECT_EQ(mitigation.targets.size(), 2U);
  EXPECT_EQ(store().find("m"), mitigation);
}

struct PutRow {
  const char* name;
  bool there;     // it is in the store
  bool the_same;  // … and equal to what is put
  PutMode mode;
  PutResult want;
  int revisions;  // taken
};

constexpr PutRow kPuts[] = {
    {"add where there is none", false, false, PutMode::kAddOnly, PutResult::kAdded, 1},
    {"add again", true, true, PutMode::kAddOnly, PutResult::kUnchanged, 0},
    {"add another of that name", true, false, PutMode::kAddOnly, PutResult::kExists, 0},
    {"replace where there is none", false, false, PutMode::kReplaceOnly, PutResult::kNotFound, 0},
    {"replace by the same", true, true, PutMode::kReplaceOnly, PutResult::kUnchanged, 0},
    {"replace", true, false, PutMode::kReplaceOnly, PutResult::kReplaced, 1},
    {"either where there is none", false, false, PutMode::kAddOrReplace, PutResult::kAdded, 1},
    {"either, the same", true, true, PutMode::kAddOrReplace, PutResult::kUnchanged, 0},
    {"either, another", true, false, PutMode::kAddOrReplace, PutResult::kReplaced, 1},
};

TEST_P(StoreContract, PutModes) {
  int number = 0;
  for (const PutRow& row : kPuts) {
    const std::string name = "m" + std::to_string(++number);
    if (row.there) put(name, "192.0.2.1");
    const auto stored = store().find(name);
    const std::uint64_t before = store().revision();
    Mitigation mitigation = make_mitigation(name, "192.0.2.1");
    if (!row.the_same) mitigation.reason = "another";
    ASSERT_EQ(store().put(mitigation, row.mode, kNote, kNoon), row.want) << row.name;
    EXPECT_EQ(store().revision(), before + static_cast<unsigned>(row.revisions)) << row.name;
    if (row.revisions > 0) {
      EXPECT_EQ(mitigation.revision, store().revision()) << row.name;
      EXPECT_EQ(store().find(name), mitigation) << row.name;
    } else {
      EXPECT_EQ(store().find(name), stored) << row.name;
    }
    if (row.want == PutResult::kUnchanged) {
      EXPECT_EQ(mitigation.revision, stored->revision) << row.name;
    }
  }
}

TEST_P(StoreContract, ReplacedTargetsAreForgotten) {
  Mitigation mitigation = put("m", "192.0.2.1");
  mitigation.targets = {target_of("192.0.2.2")};
  ASSERT_EQ(store().put(mitigation, PutMode::kReplaceOnly, kNote, kNoon), PutResult::kReplaced);
  schema::Store::Filter filter;
  filter.target = target_of("192.0.2.1");
  EXPECT_TRUE(store().list(filter).empty());
}

TEST_P(StoreContract, AuditSaysWhoWhyWhenBeforeAndAfter) {
  Mitigation first = put("m", "192.0.2.1");
  Mitigation second = first;
  second.reason = "another";
  store().put(second, PutMode::kReplaceOnly, {"bob", "worse"}, kNoon + hours(1));
  store().release("m", {}, {"carol", "solved"}, kNoon + hours(2));
  put("other", "192.0.2.2");

  const auto rows = store().audit("m", 10);
  ASSERT_EQ(rows.size(), 3U);
  const auto head = [](const AuditRow& row) {
    return std::tuple(row.revision, row.when, row.who, row.why, row.operation, row.subject);
  };
  using Head = std::tuple<std::uint64_t, common::TimePoint, const char*, const char*, const char*,
                          const char*>;
  EXPECT_EQ(head(rows[0]), Head(3, kNoon + hours(2), "carol", "solved", "release", "m"));
  EXPECT_EQ(head(rows[1]), Head(2, kNoon + hours(1), "bob", "worse", "update", "m"));
  EXPECT_EQ(head(rows[2]), Head(1, kNoon, "alice", "because", "add", "m"));
  EXPECT_EQ(mitigation_from_json(rows[0].before).value(), second);
  EXPECT_EQ(rows[0].after, "");
  EXPECT_EQ(mitigation_from_json(rows[1].before).value(), first);
  EXPECT_EQ(mitigation_from_json(rows[1].after).value(), second);
  EXPECT_EQ(rows[2].before, "");
  EXPECT_EQ(mitigation_from_json(rows[2].after).value(), first);

  EXPECT_EQ(store().audit("m", 1).size(), 1U);
  EXPECT_EQ(store().audit("", 10).size(), 4U);
  EXPECT_EQ(store().audit("", 10).front().subject, "other");
}

TEST_P(StoreContract, AuditOfEveryMemberReadsBack) {
  Mitigation mitigation = make_full_mitigation("full");
  store().put(mitigation, PutMode::kAddOnly, kNote, kNoon);
  const auto rows = store().audit("full", 1);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(mitigation_from_json(rows[0].after).value(), mitigation);
}

TEST_P(StoreContract, ReleaseRemovesOnce) {
  put("m", "192.0.2.1");
  EXPECT_TRUE(store().release("m", {}, kNote, kNoon));
  EXPECT_EQ(store().find("m"), std::nullopt);
  EXPECT_TRUE(store().load().set.mitigations.empty());
  EXPECT_FALSE(store().release("m", {}, kNote, kNoon)) << "again";
  EXPECT_EQ(store().revision(), 2U);
}

struct HoldOffRow {
  const char* name;
  const char* released;
  const char* target;
  Origin origin;
  std::chrono::minutes after;
  PutResult want;
};

const HoldOffRow kHoldOffs[] = {
    {"the same target", "192.0.2.0/24", "192.0.2.0/24", Origin::kDetector, std::chrono::minutes(59),
     PutResult::kHeldOff},
    {"by a feed", "192.0.2.0/24", "192.0.2.0/24", Origin::kFeed, std::chrono::minutes(1),
     PutResult::kHeldOff},
    {"at its end", "192.0.2.0/24", "192.0.2.0/24", Origin::kDetector, std::chrono::minutes(60),
     PutResult::kAdded},
    {"by a person", "192.0.2.0/24", "192.0.2.0/24", Origin::kManual, std::chrono::minutes(1),
     PutResult::kAdded},
    {"inside of it", "192.0.2.0/24", "192.0.2.7", Origin::kDetector, std::chrono::minutes(1),
     PutResult::kHeldOff},
    {"around it", "192.0.2.7", "192.0.2.0/24", Origin::kDetector, std::chrono::minutes(1),
     PutResult::kAdded},
    {"a neighbour", "192.0.2.0/25", "192.0.2.128", Origin::kDetector, std::chrono::minutes(1),
     PutResult::kAdded},
    {"IPv6", "2001:db8::/48", "2001:db8::/64", Origin::kDetector, std::chrono::minutes(1),
     PutResult::kHeldOff},
    {"a domain", "domain:*.example.com", "domain:mail.example.com", Origin::kDetector,
     std::chrono::minutes(1), PutResult::kHeldOff},
    {"a user", "user:alice", "user:alice", Origin::kDetector, std::chrono::minutes(1),
     PutResult::kHeldOff},
};

TEST_P(StoreContract, HoldOffAfterRelease) {
  for (const HoldOffRow& row : kHoldOffs) {
    put("released", row.released);
    ASSERT_TRUE(store().release("released", hours(1), kNote, kNoon));
    Mitigation again = make_mitigation("again", row.target);
    again.origin = row.origin;
    EXPECT_EQ(store().put(again, PutMode::kAddOrReplace, kNote, kNoon + row.after), row.want)
        << row.name;
    store().release("again", {}, kNote, kNoon);
    store().expire(kNoon + hours(1), 10);  // the hold-off as well
  }
}

TEST_P(StoreContract, LongerHoldOffWins) {
  for (const auto& hold_off : {hours(3), hours(1)}) {
    put("m", "192.0.2.1");
    store().release("m", hold_off, kNote, kNoon);
  }
  Mitigation again = make_mitigation("m", "192.0.2.1");
  again.origin = Origin::kDetector;
  EXPECT_EQ(store().put(again, PutMode::kAddOnly, kNote, kNoon + hours(2)), PutResult::kHeldOff);
}

TEST_P(StoreContract, ExpireRemovesWhatHasEnded) {
  Mitigation ended = make_mitigation("ended", "192.0.2.1");
  ended.ends = kNoon;
  Mitigation later = make_mitigation("later", "192.0.2.2");
  later.ends = kNoon + milliseconds(1);
  for (Mitigation* mitigation : {&ended, &later})
    store().put(*mitigation, PutMode::kAddOnly, kNote, kNoon - hours(1));
  put("endless", "192.0.2.3");
  Exemption exemption{target_of("192.0.2.9"), "until noon", kNoon, 0};
  store().put_exemption(exemption, kNote, kNoon - hours(1));

  EXPECT_EQ(store().expire(kNoon - milliseconds(1), 10), 0U);
  EXPECT_EQ(store().expire(kNoon, 10), 2U);
  EXPECT_EQ(store().expire(kNoon, 10), 0U);
  EXPECT_EQ(names_of(store().list({})), (std::vector<std::string>{"endless", "later"}));
  EXPECT_TRUE(store().exemptions().empty());
  const auto rows = store().audit("ended", 1);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].operation, "expire");
  EXPECT_EQ(mitigation_from_json(rows[0].before).value(), ended);
  EXPECT_EQ(rows[0].when, kNoon);
  EXPECT_EQ(store().audit("192.0.2.9", 1).front().operation, "expire");
}

TEST_P(StoreContract, ExpireStopsAtMost) {
  for (int i = 0; i < 5; ++i) {
    Mitigation mitigation = make_mitigation("m" + std::to_string(i), "192.0.2.1");
    mitigation.ends = kNoon;
    store().put(mitigation, PutMode::kAddOnly, kNote, kNoon - hours(1));
  }
  EXPECT_EQ(store().expire(kNoon, 2), 2U);
  EXPECT_EQ(store().expire(kNoon, 10), 3U);
}

TEST_P(StoreContract, Exemptions) {
  Exemption office{target_of("192.0.2.0/24"), "office", std::nullopt, 0};
  EXPECT_EQ(store().put_exemption(office, kNote, kNoon), PutResult::kAdded);
  EXPECT_EQ(office.revision, 1U);
  EXPECT_EQ(store().put_exemption(office, kNote, kNoon), PutResult::kUnchanged);
  const Exemption first = office;
  office.reason = "the office";
  office.ends = kNoon + hours(1);
  EXPECT_EQ(store().put_exemption(office, kNote, kNoon), PutResult::kReplaced);
  Exemption user{target_of("user:root"), "never the operator", std::nullopt, 0};
  store().put_exemption(user, kNote, kNoon);

  EXPECT_EQ(store().exemptions(), (std::vector<Exemption>{office, user}));
  EXPECT_EQ(store().load().set.exemptions.size(), 2U);
  EXPECT_TRUE(store().remove_exemption(office.target, kNote, kNoon));
  EXPECT_FALSE(store().remove_exemption(office.target, kNote, kNoon));
  EXPECT_EQ(store().exemptions(), std::vector<Exemption>{user});

  const auto rows = store().audit("192.0.2.0/24", 10);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].operation, "unexempt");
  EXPECT_EQ(exemption_from_json(rows[0].before).value(), office);
  EXPECT_EQ(rows[0].after, "");
  EXPECT_EQ(rows[1].operation, "exempt");
  EXPECT_EQ(exemption_from_json(rows[1].before).value(), first);
  EXPECT_EQ(exemption_from_json(rows[1].after).value(), office);
}

TEST_P(StoreContract, HitsAddUpAndAreNoChange) {
  put("m", "192.0.2.1");
  const std::uint64_t before = store().revision();
  EXPECT_TRUE(store().add_hits({{"m", 2, kNoon}, {"gone", 1, kNoon}}, {}));
  EXPECT_TRUE(store().add_hits({{"m", 3, kNoon - hours(1)}}, {}));
  const auto hits = store().hits({"m", "gone"});
  ASSERT_EQ(hits.size(), 1U);
  EXPECT_EQ(hits[0].name, "m");
  EXPECT_EQ(hits[0].count, 5U);
  EXPECT_EQ(hits[0].last, kNoon);
  EXPECT_EQ(store().revision(), before);
  Mitigation replaced = make_mitigation("m", "192.0.2.7");
  store().put(replaced, PutMode::kReplaceOnly, kNote, kNoon);
  EXPECT_EQ(store().hits({"m"}).size(), 1U) << "a change keeps the hits";
  store().release("m", {}, kNote, kNoon);
  put("m", "192.0.2.1");
  EXPECT_TRUE(store().hits({"m"}).empty()) << "another of the same name begins anew";
}

TEST_P(StoreContract, ABatchOfHitsCountsOnce) {
  put("m", "192.0.2.1");
  EXPECT_TRUE(store().add_hits({{"m", 2, kNoon}}, "first"));
  EXPECT_FALSE(store().add_hits({{"m", 2, kNoon}}, "first"));
  EXPECT_FALSE(backend().open()->add_hits({{"m", 2, kNoon}}, "first")) << "whoever brings it";
  EXPECT_TRUE(store().add_hits({{"m", 1, kNoon}}, "second"));
  EXPECT_EQ(store().hits({"m"})[0].count, 3U);
  EXPECT_TRUE(store().add_hits({{"m", 1, kNoon}}, {}));
  EXPECT_TRUE(store().add_hits({{"m", 1, kNoon}}, {})) << "has no name, so always counts";
  EXPECT_EQ(store().hits({"m"})[0].count, 5U);
}

}  // namespace
}  // namespace ipmit::test
