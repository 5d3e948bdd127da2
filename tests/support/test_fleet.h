// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/listen_address.h"
#include "schema/redis_connection.h"
#include "schema/store.h"
#include "tests/support/daemon.h"
#include "tests/support/milter_client.h"
#include "tests/support/temp_postgres.h"

namespace ipmit::test {

// A fleet as in docs/cluster.md: a PostgreSQL of its own, the real ipmit-controller and
// ipmit-milter programs, and a Redis that the test brings. All rules are tests' own:
//   203.0.113.66                  rejected ("listed/reject")
//   203.0.113.77                  throttled, far above what any test sends ("listed/throttle")
//   domain:changeN.example        rejected by change(N)
//   10.0.0.0/8, single addresses  rejected, as many as the options say
// One thread at a time, but for SessionLoop.
class TestFleet {
 public:
  struct Options {
    std::size_t milters = 5, controllers = 1, rules = 0;
    std::string extra{};   // lines of ipmit.yaml at the top
    bool standby = false;  // a second PostgreSQL server that streams from the first
  };
  // `cache`: "redis://…". Everything runs and enforces the rules when this returns.
  TestFleet(std::string cache, const Options& options);

  // The primary, of two: the standby once it was promoted.
  TempPostgres& postgres() { return *primary_; }
  // The primary dies and the standby takes its place. kLosesChanges: without what happens in
  // `meanwhile`, and it gives the same revisions to other changes. kOldOneHangs: the old primary
  // keeps its connections and is silent, for the rest of the test.
  enum class Failover { kClean, kLosesChanges, kOldOneHangs };
  void fail_over_postgres(Failover how, const std::function<void()>& meanwhile = {});
  const std::string& database() const { return database_; }
  std::string store_url() const;
  std::string config() const { return (directory_ / "ipmit.yaml").string(); }
  const TempDir& directory() const { return directory_; }
  std::string config_text(std::string_view section) const;

  Daemon& controller(std::size_t i = 0) { return *controllers_[i]; }
  Daemon& milter(std::size_t i) { return *milters_[i]; }
  std::size_t controllers() const { return controllers_.size(); }
  std::size_t milters() const { return milters_.size(); }
  common::ListenAddress address(std::size_t milter) const;
  std::vector<common::ListenAddress> addresses() const;
  // The only controller that leads; -1: none or several.
  int leader() const;

  // One more, such as a Postfix's; `settings`: further lines of its section. Not counted among
  // milters().
  std::unique_ptr<Daemon> start_milter(const std::string& name, const std::string& socket,
                                       const std::string& settings = "");

  // ipmitctl with the settings of the fleet.
  CommandResult ctl(Arguments words) const;

  // Stores the next change, retrying while PostgreSQL is away, and gives back its number N.
  int change();
  void put(policy::Mitigation mitigation);
  // The last change is enforced by every milter, asked as Postfix asks.
  bool all_enforce_change();
  bool wait_enforced(std::chrono::milliseconds deadline = kPatience) {
    return wait_until([this] { return all_enforce_change(); }, deadline);
  }
  // A milter enforces change(number) as of now.
  bool any_enforces(int number);
  // Every milter holds as many mitigations as the store.
  bool all_hold_as_many();
  // Compares every record in Redis with the store (and repairs): how many differed.
  std::size_t differences();

  std::string logs() const;  // of all programs, for a test that failed

 private:
  schema::Store& store();
  void fill(std::size_t rules);
  void start_controller(std::size_t i);
  bool refuses(std::size_t milter, const std::string& sender);

  const std::string cache_;
  const std::string extra_;
  TempDir directory_{"fleet"};
  TempPostgres postgres_;
  std::unique_ptr<TempPostgres> standby_;
  TempPostgres* primary_ = &postgres_;
  std::string database_;
  std::unique_ptr<schema::Store> store_;
  std::vector<std::unique_ptr<Daemon>> controllers_, milters_;
  std::vector<std::unique_ptr<MilterClient>> probes_;  // an open session with each milter
  int changes_ = 0;
};

// A thread that talks to the milters as Postfix does, one session after another: a clean client, a
// rejected and a throttled one. Whatever is not answered as the rules say is a failure.
class SessionLoop {
 public:
  explicit SessionLoop(std::vector<common::ListenAddress> milters);
  ~SessionLoop() { stop(); }

  int sessions() const { return sessions_; }
  // Ends the thread; what went wrong, empty: nothing.
  std::vector<std::string> stop();

 private:
  void run(const std::stop_token& stop);
  void session(const common::ListenAddress& milter, const char* client, bool refused);

  const std::vector<common::ListenAddress> milters_;
  std::atomic<int> sessions_{0};
  std::vector<std::string> failures_;  // of the thread until stop()
  std::jthread thread_;
};

}  // namespace ipmit::test
