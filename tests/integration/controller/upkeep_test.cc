// SPDX-License-Identifier: Apache-2.0
// The program ipmit-controller keeps the record from growing, with the rights of its role.
#include <gtest/gtest.h>

#include "schema/record.h"
#include "tests/support/temp_postgres.h"
#include "tests/support/temp_redis.h"

namespace ipmit::test {
namespace {

TEST(ControllerUpkeep, MakesTheDaysToComeAndRemovesWhatIsOld) {
  if (!TempPostgres::missing().empty()) GTEST_SKIP() << TempPostgres::missing();
  TempPostgres postgres;
  const TempRedis redis;
  const TempDir directory("controller");
  const std::string database = postgres.create_database();
  const common::TimePoint now = common::now();
  const auto at = [&](int days) { return now - std::chrono::days(days); };
  const auto record = schema::open_record(postgres.url(database), true);
  for (const auto& [id, days] : {std::pair("old", 4), std::pair("kept", 2)})
    record->put({{{id, at(days), "192.0.2.1", "r", 1, at(days), at(days), "why", ""}, {}}});
  postgres.sql(database, "CREATE ROLE a_controller LOGIN IN ROLE ipmit_controller");
  write_file(directory / "ipmit.yaml", "store: " + postgres.url(database, "a_controller") +
                                           "\ncache: " + redis.unix_url() +
                                           "\nretention:\n  findings: 3d\n"
                                           "controller:\n  metrics_listen: \"\"\n");
  const ChildProcess controller({std::string(IPMIT_BINARY_DIR) + "/bin/ipmit-controller",
                                 "--config", (directory / "ipmit.yaml").string()},
                                directory / "log");
  EXPECT_TRUE(wait_until([&] { return !record->find("old"); })) << read_file(directory / "log");
  EXPECT_TRUE(record->find("kept"));
  EXPECT_EQ(postgres.sql(database,
                         "SELECT count(*) FROM pg_inherits WHERE inhparent = "
                         "'ipmit.delivery_statistics'::regclass"),
            "8");
}

}  // namespace
}  // namespace ipmit::test
