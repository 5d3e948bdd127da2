// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "common/error.h"
#include "tests/contract/store_contract.h"

namespace ipmit::test {
namespace {

using policy::Exemption;
using policy::Mitigation;
using schema::PutMode;
using schema::PutResult;
using Names = std::vector<std::string>;

struct CoverRow {
  const char* name;
  const char* asked;
  Names want;
};

const CoverRow kCovers[] = {
    {"address: itself and what is around it", "192.0.2.7", {"a-host", "b-net"}},
    {"another address", "192.0.2.8", {"b-net"}},
    {"outside", "192.0.3.1", {}},
    {"a range is not covered by what is in it", "192.0.2.0/24", {"b-net"}},
    {"the range above the stored one", "192.0.0.0/16", {}},
    {"IPv6 address", "2001:db8::1", {"c-net6"}},
    {"IPv6 outside", "2001:db8:1::1", {}},
    {"domain below a pattern", "domain:a.b.example.com", {"e-below"}},
    {"the domain itself is not below itself", "domain:example.com", {"d-domain"}},
    {"a pattern inside a pattern", "domain:*.b.example.com", {"e-below"}},
    {"the pattern", "domain:*.example.com", {"e-below"}},
    {"user", "user:alice", {"f-user"}},
    {"another user", "user:alic", {}},
};

TEST_P(StoreContract, FindsByTargetThatContains) {
  put("a-host", "192.0.2.7");
  put("b-net", "192.0.2.0/24");
  put("c-net6", "2001:db8::/48");
  put("d-domain", "domain:example.com");
  put("e-below", "domain:*.example.com");
  put("f-user", "user:alice");
  for (const CoverRow& row : kCovers) {
    schema::Store::Filter filter;
    filter.target = target_of(row.asked);
    EXPECT_EQ(names_of(store().list(filter)), row.want) << row.name;
  }
}

TEST_P(StoreContract, ListFilters) {
  put("mail/a", "192.0.2.1");
  put("mail/b", "192.0.2.2");
  put("mailx", "192.0.2.3");
  Mitigation reject = make_mitigation("mail/c", "192.0.2.1");
  reject.action = policy::Action::kReject;
  reject.origin = policy::Origin::kDetector;
  store().put(reject, PutMode::kAddOnly, kNote, kNoon);

  schema::Store::Filter filter;
  EXPECT_EQ(names_of(store().list(filter)), (Names{"mail/a", "mail/b", "mail/c", "mailx"}));
  filter.name_prefix = "mail/";
  EXPECT_EQ(names_of(store().list(filter)), (Names{"mail/a", "mail/b", "mail/c"}));
  filter.target = target_of("192.0.2.1");
  EXPECT_EQ(names_of(store().list(filter)), (Names{"mail/a", "mail/c"}));
  filter.action = policy::Action::kReject;
  EXPECT_EQ(names_of(store().list(filter)), Names{"mail/c"});
  filter.origin = policy::Origin::kManual;
  EXPECT_EQ(names_of(store().list(filter)), Names{});
}

TEST_P(StoreContract, ListPages) {
  Names all;
  for (int i = 0; i < 25; ++i) {
    all.push_back("m" + std::to_string(100 + i));
    put(all.back(), "192.0.2.1");
  }
  // Between digits and letters, where collations of languages differ from bytes.
  for (const char* name : {"m-1", "m.1", "m/1", "m1-", "ma"}) {
    const bool valid = !std::string_view(name).ends_with('-');
    if (!valid) continue;
    all.emplace_back(name);
    put(name, "192.0.2.1");
  }
  std::sort(all.begin(), all.end());
  schema::Store::Filter filter;
  filter.most = 7;
  Names seen;
  for (;;) {
    const Names page = names_of(store().list(filter));
    if (page.empty()) break;
    EXPECT_LE(page.size(), 7U);
    seen.insert(seen.end(), page.begin(), page.end());
    filter.after = page.back();
  }
  EXPECT_EQ(seen, all);
}

TEST_P(StoreContract, LoadIsEverythingAtOneRevision) {
  put("a", "192.0.2.1");
  Mitigation full = make_full_mitigation("full");
  store().put(full, PutMode::kAddOnly, kNote, kNoon);
  Exemption exemption{target_of("192.0.2.9"), "office", std::nullopt, 0};
  store().put_exemption(exemption, kNote, kNoon);
  auto loaded = store().load();
  EXPECT_EQ(loaded.set.revision, 3U);
  EXPECT_EQ(loaded.skipped, 0U);
  auto& rules = loaded.set.mitigations;
  ASSERT_EQ(rules.size(), 2U);
  std::sort(rules.begin(), rules.end(), [](auto& a, auto& b) { return a.name < b.name; });
  full.evidence.clear();  // the one thing readers do without
  EXPECT_EQ(rules[1], full);
  EXPECT_EQ(loaded.set.exemptions, std::vector<Exemption>{exemption});
  EXPECT_EQ(store().load().epoch, loaded.epoch);
}

TEST_P(StoreContract, UnreadableEntryIsSkippedAndCounted) {
  put("good", "192.0.2.1");
  put("bad", "192.0.2.2");
  backend().sql("UPDATE mitigations SET reply_code = 'xyz' WHERE name = 'bad'");
  const auto loaded = store().load();
  EXPECT_EQ(loaded.skipped, 1U);
  EXPECT_EQ(names_of(loaded.set.mitigations), Names{"good"});
  EXPECT_EQ(store().find("bad"), std::nullopt);
  EXPECT_EQ(names_of(store().list({})), Names{"good"});
  Mitigation again = make_mitigation("bad", "192.0.2.2");
  EXPECT_EQ(store().put(again, PutMode::kAddOrReplace, kNote, kNoon), PutResult::kReplaced);
  EXPECT_EQ(store().load().skipped, 0U);
}

TEST_P(StoreContract, UnreadableEntryCanBeReleased) {
  put("bad", "192.0.2.2");
  backend().sql("UPDATE mitigations SET reply_code = 'xyz' WHERE name = 'bad'");
  EXPECT_TRUE(store().release("bad", {}, kNote, kNoon));
  EXPECT_EQ(store().load().skipped, 0U);
}

// Each change as "revision what", so that a failure reads well.
Names texts_of(const std::vector<schema::Change>& changes) {
  struct Text {
    std::string operator()(const Mitigation& rule) {
      return "put " + rule.name + " " + rule.reason;
    }
    std::string operator()(const schema::Change::Removed& gone) { return "remove " + gone.name; }
    std::string operator()(const Exemption& exemption) {
      return "exempt " + exemption.target.to_string();
    }
    std::string operator()(const schema::Change::Unexempted& gone) {
      return "unexempt " + gone.target;
    }
  };
  Names texts;
  for (const auto& change : changes)
    texts.push_back(std::to_string(change.revision) + ' ' + std::visit(Text{}, change.what));
  return texts;
}

TEST_P(StoreContract, ChangesSince) {
  put("a", "192.0.2.1");
  put("b", "192.0.2.2");
  EXPECT_EQ(texts_of(store().changes_since(2, 10).value()), Names{});

  Mitigation b = store().find("b").value();
  b.reason = "another";
  store().put(b, PutMode::kReplaceOnly, kNote, kNoon);
  Exemption office{target_of("192.0.2.9"), "office", kNoon, 0};
  store().put_exemption(office, kNote, kNoon);
  store().release("a", {}, kNote, kNoon);
  put("a", "192.0.2.4");
  store().expire(kNoon, 10);  // the exemption
  Exemption user{target_of("user:root"), "operator", std::nullopt, 0};
  store().put_exemption(user, kNote, kNoon);
  store().remove_exemption(user.target, kNote, kNoon);

  const auto changes = store().changes_since(2, 100);
  ASSERT_TRUE(changes);
  EXPECT_EQ(texts_of(*changes), (Names{"3 put b another", "4 exempt 192.0.2.9", "5 remove a",
                                       "6 put a too many bounces", "7 unexempt 192.0.2.9",
                                       "8 exempt user:root", "9 unexempt user:root"}));
  EXPECT_EQ(std::get<Mitigation>(changes->front().what), b);
  EXPECT_EQ(std::get<Exemption>(changes->at(1).what), office);
  EXPECT_EQ(texts_of(store().changes_since(5, 2).value()),
            (Names{"6 put a too many bounces", "7 unexempt 192.0.2.9"}))
      << "a part";
}

TEST_P(StoreContract, ChangesOfAnotherHistoryAreRefused) {
  put("a", "192.0.2.1");
  put("b", "192.0.2.2");
  EXPECT_FALSE(store().changes_since(3, 10)) << "a revision that was never given out";
  backend().sql("DELETE FROM audit WHERE revision = 1");
  EXPECT_FALSE(store().changes_since(0, 10)) << "before the oldest audit row";
  EXPECT_TRUE(store().changes_since(1, 10));
  backend().sql("DELETE FROM audit");
  EXPECT_FALSE(store().changes_since(1, 10)) << "no audit at all";
  EXPECT_TRUE(store().changes_since(2, 10)) << "nothing is missing";
}

TEST_P(StoreContract, UnreadableChangeCountsAsRemoved) {
  put("bad", "192.0.2.2");
  backend().sql("UPDATE audit SET after = '{\"name\": \"bad\"}'");
  EXPECT_EQ(texts_of(store().changes_since(0, 10).value()), Names{"1 remove bad"});
}

}  // namespace
}  // namespace ipmit::test
