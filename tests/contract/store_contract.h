// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "schema/store.h"

namespace ipmit::test {

// One database of one kind, made for one test and gone with it.
class StoreBackend {
 public:
  virtual ~StoreBackend() = default;
  // A new connection to it, as each program has its own.
  virtual std::unique_ptr<schema::Store> open() = 0;
  virtual std::string url() const = 0;
  // Runs SQL behind the store's back.
  virtual void sql(const std::string& statements) = 0;
};

struct StoreKind {
  const char* name;
  std::unique_ptr<StoreBackend> (*make)();  // null: not on this machine
  std::string (*missing)();                 // why it may be null
};
void PrintTo(const StoreKind& kind, std::ostream* out);
const std::vector<StoreKind>& store_kinds();

// What schema/store.h promises, asked of every kind of store.
class StoreContract : public ::testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override;
  schema::Store& store() { return *store_; }
  StoreBackend& backend() { return *backend_; }

  // Puts a good mitigation with `change` applied, and gives it back as stored.
  policy::Mitigation put(std::string_view name, std::string_view target);

 private:
  std::unique_ptr<StoreBackend> backend_;
  std::unique_ptr<schema::Store> store_;
};

// Noon of a day; every time of the tests is said from here.
inline const common::TimePoint kNoon = common::parse_rfc3339("2026-11-25T12:00:00Z").value();
inline const schema::ChangeNote kNote{"alice", "because"};

policy::Target target_of(std::string_view text);
// A Defer that ends never, by a person.
policy::Mitigation make_mitigation(std::string_view name, std::string_view target);
// Every member away from its default.
policy::Mitigation make_full_mitigation(std::string_view name);
std::vector<std::string> names_of(const std::vector<policy::Mitigation>& mitigations);

}  // namespace ipmit::test
