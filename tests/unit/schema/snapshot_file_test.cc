// SPDX-License-Identifier: Apache-2.0
#include "schema/snapshot_file.h"

#include <fstream>
#include <iterator>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "schema/rule_codec.h"
#include "tests/support/sample_rules.h"

namespace ipmit::schema {
namespace {

namespace fs = std::filesystem;
using policy::MitigationSet;

class SnapshotFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ipmit-rules-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ / "rules";
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string read() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string problem() const {
    try {
      load_rules(path_);
    } catch (const common::PermanentError& error) {
      return error.what();
    }
    return "";
  }

  fs::path directory_, path_;
};

MitigationSet::Source sample() {
  MitigationSet::Source source;
  source.mitigations = {test::full_rule("det/full", 41), test::reject("plain", "192.0.2.1", 7),
                        test::reject("v6", "2001:db8::/32", 8)};
  auto reroute = test::reject("reroute", "domain:example.com", 9);
  reroute.action = policy::Action::kReroute;
  reroute.reroute_transport = "slow";
  source.mitigations.push_back(reroute);
  source.exemptions = {{test::target("198.51.100.0/24"), "partner", std::nullopt, 42},
                       {test::target("user:bob"), "boss", test::at("2106-01-01T00:00:00Z"), 3}};
  source.revision = 42;
  return source;
}

TEST_F(SnapshotFile, ReadsWhatItWrote) {
  const auto when = test::at("2026-11-25T18:00:00.123Z");
  save_rules(path_, sample(), "epoch-1", when);
  const auto saved = load_rules(path_);
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->set.mitigations, sample().mitigations);
  EXPECT_EQ(saved->set.exemptions, sample().exemptions);
  EXPECT_EQ(saved->set.revision, 42U);
  EXPECT_EQ(saved->epoch, "epoch-1");
  EXPECT_EQ(saved->confirmed_at, when);
  confirm_rules(path_, when + std::chrono::hours(1));
  EXPECT_EQ(load_rules(path_)->confirmed_at, when + std::chrono::hours(1));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1) << "nothing left beside it";
}

TEST_F(SnapshotFile, AnEmptySetIsNotAMissingFile) {
  EXPECT_FALSE(load_rules(path_));
  save_rules(path_, {}, "", test::at("2026-11-25T18:00:00Z"));
  const auto saved = load_rules(path_);
  ASSERT_TRUE(saved);
  EXPECT_TRUE(saved->set.mitigations.empty());
}

TEST_F(SnapshotFile, LeavesTheEvidenceOut) {
  auto source = sample();
  source.mitigations[1].evidence = "ten bounces";
  save_rules(path_, source, "", {});
  EXPECT_EQ(load_rules(path_)->set.mitigations[1].evidence, "");
}

TEST_F(SnapshotFile, RefusesDamageInAnyByte) {
  save_rules(path_, sample(), "epoch-1", {});
  const std::string good = read();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    write(bad);
    EXPECT_THAT(problem(), testing::HasSubstr(path_.string())) << "byte " << i;
    if (i % 8 != 0) continue;
    write(good.substr(0, i));
    EXPECT_THAT(problem(), testing::HasSubstr(path_.string())) << "cut to " << i;
  }
  write(good + "x");
  EXPECT_THAT(problem(), testing::HasSubstr("is damaged"));
}

TEST_F(SnapshotFile, SaysWhatIsWrong) {
  write("");
  EXPECT_THAT(problem(), testing::HasSubstr("is cut"));
  write(std::string(100, 'x'));
  EXPECT_THAT(problem(), testing::HasSubstr("is not a rule snapshot"));
  save_rules(path_, sample(), "", {});
  std::string other = read();
  other[8] = 2;
  write(other);
  EXPECT_THAT(problem(), testing::HasSubstr("has format 2, this program reads format 1"));
  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_THAT(problem(), testing::HasSubstr("is not a file"));
}

TEST_F(SnapshotFile, AFailedWriteKeepsTheOldFile) {
  save_rules(path_, sample(), "old", {});
  fs::create_directory(path_.string() + ".new");  // in the way of the temporary file
  try {
    save_rules(path_, {}, "new", {});
    ADD_FAILURE() << "wrote over a directory";
  } catch (const common::TransientError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(path_.string()));
  }
  EXPECT_EQ(load_rules(path_)->epoch, "old");
  EXPECT_THROW(save_rules(directory_ / "none" / "rules", {}, "", {}), common::TransientError);
  EXPECT_THROW(confirm_rules(directory_ / "none", {}), common::TransientError);
}

TEST(RuleCodec, RefusesARuleThatMustNotBeEnforced) {
  MitigationSet::Source source = sample();
  source.mitigations[1].reason.clear();
  std::string bytes;
  pack_rules(source, bytes);
  const auto got = unpack_rules(bytes);
  ASSERT_FALSE(got.ok());
  EXPECT_THAT(got.problem(), testing::StartsWith("mitigation 1: reason"));
}

// What the checksum lets through must still not hurt.
TEST(RuleCodec, IsSafeOnAnyBytes) {
  std::string good;
  pack_rules(sample(), good);
  ASSERT_TRUE(unpack_rules(good).ok());
  std::minstd_rand random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    for (auto changes = 1 + random() % 3; changes > 0; --changes)
      bad[random() % bad.size()] = static_cast<char>(random());
    bad.resize(random() % 2 == 0 ? bad.size() : random() % bad.size());
    const auto got = unpack_rules(bad);
    if (!got) continue;
    for (const auto& rule : got->mitigations) EXPECT_FALSE(policy::validate(rule));
  }
}

}  // namespace
}  // namespace ipmit::schema
