// SPDX-License-Identifier: Apache-2.0
// Findings and their evidence; what is too old; the fixture of all tests of the record.
#include <gmock/gmock.h>

#include "common/error.h"
#include "tests/contract/record_contract.h"

namespace ipmit::test {

void RecordContract::SetUp() {
  backend_ = GetParam().make();
  if (!backend_) GTEST_SKIP() << GetParam().missing();
  record_ = schema::open_record(backend_->url(), true);
}

namespace {

using schema::Evidence;
using schema::Finding;
using schema::Findings;
using std::chrono::days;
using std::chrono::hours;
using testing::ElementsAre;
using testing::IsEmpty;

INSTANTIATE_TEST_SUITE_P(Records, RecordContract, ::testing::ValuesIn(store_kinds()),
                         [](const auto& kind) { return kind.param.name; });

Finding make_finding(std::string id, common::TimePoint at) {
  return {std::move(id),
          at,
          "203.0.113.9",
          "dead recipients",
          37,
          at - hours(1),
          at,
          "37 of 50 recipients unknown",
          ""};
}

std::vector<std::string> ids_of(const std::vector<Finding>& findings) {
  std::vector<std::string> ids;
  for (const Finding& finding : findings) ids.push_back(finding.id);
  return ids;
}
std::vector<std::string> events_of(const std::vector<Evidence>& evidence) {
  std::vector<std::string> events;
  for (const Evidence& one : evidence) events.push_back(one.event);
  return events;
}

TEST_P(RecordContract, KeepsAFindingWithItsEvidence) {
  const Finding finding = make_finding("f1", now_);
  const Evidence dsn{"e1", now_ - hours(1), Evidence::Kind::kDsn,
                     "Final-Recipient: rfc822; bob@example.com\nStatus: 5.1.1"};
  const Evidence line{"e2", now_, Evidence::Kind::kDelivery,
                      "to=<carol@example.com>, status=bounced (550 \"5.1.1\" \xff\x01 \xc3\xa4)"};
  record().put({{finding, {line, dsn}}});
  EXPECT_EQ(record().find("f1"), finding);
  EXPECT_FALSE(record().find("f2"));
  const auto kept = record().evidence("f1", 10);
  ASSERT_THAT(events_of(kept), ElementsAre("e1", "e2")) << "oldest first";
  EXPECT_EQ(kept[0].kind, Evidence::Kind::kDsn);
  EXPECT_EQ(kept[0].at, dsn.at);
  EXPECT_EQ(kept[0].detail, "Final-Recipient: rfc822; *@example.com\nStatus: 5.1.1");
  EXPECT_EQ(kept[1].detail,
            "to=<*@example.com>, status=bounced (550 \"5.1.1\" \xef\xbf\xbd  \xc3\xa4)");
  EXPECT_THAT(events_of(record().evidence("f1", 1)), ElementsAre("e1"));
  EXPECT_THAT(record().evidence("f2", 1), IsEmpty());
}

TEST_P(RecordContract, AFindingWrittenTwiceIsOne) {
  Finding finding = make_finding("f1", now_);
  record().put({{finding, {{"e1", now_, Evidence::Kind::kTrap, "first"}}}});
  EXPECT_TRUE(record().link("f1", "mail/det-7f3a"));
  finding.events = 40;
  finding.window_ends = finding.at = now_ + hours(1);
  finding.summary = "40 of 53 recipients unknown";
  record().put({{finding,
                 {{"e1", now_, Evidence::Kind::kTrap, "other words for the same"},
                  {"e2", now_, Evidence::Kind::kHttp, "second"}}}});
  finding.mitigation = "mail/det-7f3a";
  EXPECT_EQ(record().find("f1"), finding) << "what was done about it is still known";
  const auto kept = record().evidence("f1", 10);
  ASSERT_THAT(events_of(kept), ElementsAre("e1", "e2"));
  EXPECT_EQ(kept[0].detail, "first");
  EXPECT_TRUE(record().link("f1", ""));
  EXPECT_EQ(record().find("f1")->mitigation, "");
  EXPECT_FALSE(record().link("f2", "mail/det-7f3a"));
}

TEST_P(RecordContract, ListsFindings) {
  Finding other = make_finding("b", now_ - hours(1));
  other.target = "user:alice";
  other.mitigation = "mail/det-1";
  record().put({{make_finding("a", now_ - hours(2)), {}},
                {other, {}},
                {make_finding("d", now_), {}},
                {make_finding("c", now_), {}}});
  const auto list = [this](const Findings::Filter& filter) {
    return ids_of(record().list(filter));
  };
  EXPECT_THAT(list({}), ElementsAre("c", "d", "b", "a")) << "newest first";
  EXPECT_THAT(list({.target = "203.0.113.9"}), ElementsAre("c", "d", "a"));
  EXPECT_THAT(list({.mitigation = "mail/det-1"}), ElementsAre("b"));
  EXPECT_THAT(list({.target = "203.0.113.9", .mitigation = "mail/det-1"}), IsEmpty());
  EXPECT_THAT(list({.since = now_ - hours(1)}), ElementsAre("c", "d", "b"));
  EXPECT_THAT(list({.most = 1}), ElementsAre("c"));
}

// All or nothing: the writer does not know which of them were bad.
TEST_P(RecordContract, RefusesWhatNoFindingCanBe) {
  for (const std::string& id : {std::string(), std::string(201, 'x')})
    EXPECT_THROW(record().put({{make_finding("good", now_), {}}, {make_finding(id, now_), {}}}),
                 common::PermanentError);
  Finding backwards = make_finding("f", now_);
  std::swap(backwards.window_begins, backwards.window_ends);
  EXPECT_THROW(record().put({{backwards, {}}}), common::PermanentError);
  EXPECT_THROW(record().put({{make_finding("f", now_), {{"", now_, Evidence::Kind::kDsn, "x"}}}}),
               common::PermanentError);
  EXPECT_THAT(record().list({}), IsEmpty());
}

TEST_P(RecordContract, ManyAtOnce) {
  std::vector<Findings::Found> found;
  for (int i = 0; i < 500; ++i) {
    found.push_back({make_finding("f" + std::to_string(i), now_), {}});
    for (int e = 0; e < 5; ++e)
      found.back().evidence.push_back(
          {std::to_string(e), now_, Evidence::Kind::kComplaint, "abuse report"});
  }
  found.push_back(found.front());  // twice in one batch
  record().put(found);
  EXPECT_EQ(record().list({}).size(), 500U);
  EXPECT_EQ(record().evidence("f499", 10).size(), 5U);
}

std::map<std::string, std::uint64_t> by_table(const std::vector<schema::Retention::Removed>& all) {
  std::map<std::string, std::uint64_t> removed;
  for (const auto& one : all)
    if (one.rows > 0) removed[one.what.substr(0, one.what.find(' '))] = one.rows;
  return removed;
}

TEST_P(RecordContract, RemovesWhatIsTooOld) {
  using Removed = std::map<std::string, std::uint64_t>;
  const auto store = backend().open();
  policy::Mitigation rule = make_mitigation("m", "192.0.2.1");
  store->put(rule, schema::PutMode::kAddOnly, kNote, now_ - days(401));
  rule.reason = "another";
  store->put(rule, schema::PutMode::kReplaceOnly, kNote, now_ - days(399));
  record().put({{make_finding("old", now_ - days(91)), {{"e", now_, Evidence::Kind::kDsn, "x"}}},
                {make_finding("older", now_ - days(92)), {}},
                {make_finding("new", now_ - days(89)), {{"e", now_, Evidence::Kind::kDsn, "x"}}}});
  record().add("b1",
               {{today_ - days(91), "192.0.2.1", "bounced", 2},
                {today_ - days(90), "192.0.2.1", "bounced", 3}},
               now_ - days(8));
  record().add("b2", {{today_ + days(1), "192.0.2.1", "bounced", 5}}, now_);
  record().note_bounces({{{{1, std::string(22, 'a')}}, now_ - days(181)},
                         {{{1, std::string(22, 'b')}}, now_ - days(179)}});

  EXPECT_EQ(by_table(record().apply_retention({}, now_, 1)),
            (Removed{{"delivery_statistics", 1},
                     {"findings", 1},
                     {"audit", 1},
                     {"dead_recipient_fingerprints", 1},
                     {"statistics_batches", 1}}));
  EXPECT_EQ(by_table(record().apply_retention({}, now_, 1)), (Removed{{"findings", 1}}));
  EXPECT_EQ(by_table(record().apply_retention({}, now_, 1)), Removed{});

  EXPECT_THAT(ids_of(record().list({})), ElementsAre("new"));
  EXPECT_THAT(record().evidence("old", 1), IsEmpty());
  EXPECT_EQ(record().evidence("new", 1).size(), 1U);
  const auto counts = record().counts_of("192.0.2.1", {today_ - days(300), today_ + days(7)});
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[0].day, today_ - days(90));
  EXPECT_EQ(store->audit("m", 10).size(), 1U);
  EXPECT_TRUE(store->find("m")) << "rules are not history";

  schema::RetentionSpans shorter;
  shorter.findings = days(1);
  EXPECT_EQ(by_table(record().apply_retention(shorter, now_, 10)), (Removed{{"findings", 1}}));
}

}  // namespace
}  // namespace ipmit::test
