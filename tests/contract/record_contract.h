// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "schema/record.h"
#include "tests/contract/store_contract.h"

namespace ipmit::test {

// What schema/record.h promises, asked of every kind of store.
class RecordContract : public ::testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override;
  schema::Record& record() { return *record_; }
  StoreBackend& backend() { return *backend_; }

  // Days and spans are told by the clock of the machine: PostgreSQL looks at it too.
  const common::TimePoint now_ = common::now();
  const std::chrono::sys_days today_ = std::chrono::floor<std::chrono::days>(now_);

 private:
  std::unique_ptr<StoreBackend> backend_;
  std::unique_ptr<schema::Record> record_;
};

}  // namespace ipmit::test
