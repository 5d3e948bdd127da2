// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "schema/postgres_store.h"
#include "tests/contract/store_contract.h"
#include "tests/support/temp_postgres.h"

namespace ipmit::test {

// What only PostgreSQL has: one server for the tests of a suite, a database for each.
class Postgres : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (TempPostgres::missing().empty()) server_ = new TempPostgres;
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_ == nullptr) GTEST_SKIP() << TempPostgres::missing();
    database_ = server_->create_database();
  }

  std::string url(std::string_view user = "postgres") const {
    return server_->url(database_, user);
  }
  schema::PostgresStore open(bool may_migrate = true) const {
    return schema::PostgresStore(url(), may_migrate);
  }
  std::string sql(const std::string& statements) const {
    return server_->sql(database_, "SET search_path = ipmit; " + statements);
  }
  static inline TempPostgres* server_ = nullptr;
  std::string database_;
};

inline constexpr const char* kNoError = "no such error";

// What `call` throws, if it is an Error.
template <typename Error>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return kNoError;
}

inline void put(schema::Store& store, std::string_view name) {
  policy::Mitigation mitigation = make_mitigation(name, "192.0.2.1");
  ASSERT_EQ(store.put(mitigation, schema::PutMode::kAddOnly, kNote, kNoon),
            schema::PutResult::kAdded);
}

}  // namespace ipmit::test
