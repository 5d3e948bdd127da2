// SPDX-License-Identifier: Apache-2.0
// The fixture, and on what it runs.
#include "tests/contract/store_contract.h"

#include <ostream>

#include "schema/sqlite_connection.h"
#include "tests/support/process.h"
#include "tests/support/temp_postgres.h"

namespace ipmit::test {
namespace {

class SqliteBackend : public StoreBackend {
 public:
  std::unique_ptr<schema::Store> open() override { return schema::open_store(url(), true); }
  std::string url() const override { return "sqlite:" + path(); }
  void sql(const std::string& statements) override {
    schema::SqliteConnection(path()).execute(statements);
  }

 private:
  std::string path() const { return (directory_ / "ipmit.db").string(); }
  TempDir directory_{"store"};
};

class PostgresBackend : public StoreBackend {
 public:
  std::unique_ptr<schema::Store> open() override { return schema::open_store(url(), true); }
  std::string url() const override { return server().url(database_); }
  void sql(const std::string& statements) override {
    server().sql(database_, "SET search_path = ipmit; " + statements);
  }

 private:
  // One server for all tests of a run, and a database for each.
  static TempPostgres& server() {
    static TempPostgres server;
    return server;
  }
  std::string database_ = server().create_database();
};

std::unique_ptr<StoreBackend> make_postgres() {
  if (!TempPostgres::missing().empty()) return nullptr;
  return std::make_unique<PostgresBackend>();
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, ::testing::ValuesIn(store_kinds()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace

const std::vector<StoreKind>& store_kinds() {
  static const std::vector<StoreKind> kinds = {
      {"Sqlite", [] { return std::unique_ptr<StoreBackend>(new SqliteBackend); },
       [] { return std::string(); }},
      {"Postgres", make_postgres, TempPostgres::missing},
  };
  return kinds;
}

void PrintTo(const StoreKind& kind, std::ostream* out) {
  *out << kind.name;
}

void StoreContract::SetUp() {
  backend_ = GetParam().make();
  if (!backend_) GTEST_SKIP() << GetParam().missing();
  store_ = backend_->open();
}

policy::Mitigation StoreContract::put(std::string_view name, std::string_view target) {
  policy::Mitigation mitigation = make_mitigation(name, target);
  EXPECT_EQ(store_->put(mitigation, schema::PutMode::kAddOnly, kNote, kNoon),
            schema::PutResult::kAdded);
  return mitigation;
}

policy::Target target_of(std::string_view text) {
  return policy::Target::parse(text).value();
}

policy::Mitigation make_mitigation(std::string_view name, std::string_view target) {
  policy::Mitigation mitigation;
  mitigation.name = name;
  mitigation.targets = {target_of(target)};
  mitigation.action = policy::Action::kDefer;
  mitigation.reason = "too many bounces";
  return mitigation;
}

policy::Mitigation make_full_mitigation(std::string_view name) {
  const auto domain = [](std::string_view text) {
    return policy::DomainPattern::parse(text).value();
  };
  policy::Mitigation mitigation = make_mitigation(name, "203.0.113.9");
  mitigation.origin = policy::Origin::kDetector;
  for (const char* text : {"2001:db8::/64", "domain:*.example.com", "user:alice@example.com"})
    mitigation.targets.push_back(target_of(text));
  mitigation.scope.sender_domains = {domain("*.example.org"), domain("example.com")};
  mitigation.scope.sasl_users = {{"bob"}, {"carol with blank"}};
  mitigation.scope.recipient_domains = {domain("example.net")};
  mitigation.action = policy::Action::kThrottle;
  mitigation.mode = policy::Mode::kDryRun;
  mitigation.rate_limit =
      policy::RateLimit{1'000'000'000, std::chrono::minutes(90), 7, policy::RateUnit::kRecipients,
                        policy::RateKey::kAddress};
  mitigation.reply_code = "450";
  mitigation.reply_enhanced = "4.7.0";
  mitigation.reply_text = "slow down, \"please\" 'now'; 100%";
  mitigation.priority = -7;
  mitigation.starts = kNoon - std::chrono::milliseconds(1);
  mitigation.ends = kNoon + std::chrono::hours(1);
  mitigation.reason = "h\xc3\xa4ufige Bounces";
  mitigation.evidence = "{\"hits\": 3}\nsecond line \\ \x01";
  policy::canonicalise(mitigation);
  return mitigation;
}

std::vector<std::string> names_of(const std::vector<policy::Mitigation>& mitigations) {
  std::vector<std::string> names;
  for (const auto& mitigation : mitigations) names.push_back(mitigation.name);
  return names;
}

}  // namespace ipmit::test
