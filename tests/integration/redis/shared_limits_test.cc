// SPDX-License-Identifier: Apache-2.0
// Rate limits shared by ipmit-milter programs, asked as Postfix asks them: exact whatever their
// clocks say, and whatever becomes of one of them.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>

#include "schema/redis_publisher.h"
#include "tests/support/milter_client.h"
#include "tests/support/milter_daemon.h"
#include "tests/support/sample_rules.h"
#include "tests/support/temp_redis.h"

namespace ipmit::test {
namespace {

using schema::RedisPublisher;
using std::chrono::hours;
using std::chrono::seconds;
using Steady = std::chrono::steady_clock;

policy::Mitigation limited(std::string name, std::string_view whom, std::uint32_t limit,
                           common::Duration period) {
  policy::Mitigation rule = throttle(std::move(name), whom, 1);
  rule.rate_limit = policy::RateLimit{limit, period, limit, policy::RateUnit::kMessages,
                                      policy::RateKey::kTarget};
  return rule;
}

// One ipmit-milter in a directory of its own, its clock `shift` away from the right time.
class Milter {
 public:
  Milter(const TempRedis& redis, seconds shift) {
    MilterDaemon::Options options;
    options.cache = redis.unix_url();
    // A machine that runs all tests at once may keep Redis waiting longer than mail should wait.
    options.settings["limiter"] = "{redis_deadline: 5s}";
    options.environment = {{"LD_PRELOAD", SHIFTED_CLOCK},
                           {"SHIFT_CLOCK_S", std::to_string(shift.count())},
                           {"ASAN_OPTIONS", "verify_asan_link_order=0"}};
    daemon_ = std::make_unique<MilterDaemon>(directory_, "milter", options);
  }
  // It serves, and counts by Redis.
  bool is_ready() {
    return daemon_->wait_ready() &&
           wait_until([&] { return daemon_->metric("ipmit_milter_limiter_breaker_open") == 0; });
  }
  MilterDaemon& daemon() { return *daemon_; }
  MilterClient session(std::string_view client = "198.51.100.7") {
    return open_session(daemon_->address(), client);
  }
  // Refused and passed by Redis so far; by its own counters none.
  bool asked_nobody_else() const {
    return daemon_->metric("ipmit_milter_limiter_answers_total{by=\"local\"}") <= 0 &&
           daemon_->metric("ipmit_milter_limiter_answers_total{by=\"redis\"}") > 0;
  }

 private:
  TempDir directory_{"milter"};
  std::unique_ptr<MilterDaemon> daemon_;
};

// A whole message: true if it was taken.
bool send_message(MilterClient& client, std::string_view sender) {
  const auto mail = client.mail(sender);
  if (mail.command == 'y') {
    client.abort();
    return false;
  }
  EXPECT_EQ(mail.command, 'c');
  EXPECT_EQ(client.rcpt("<b@example.net>", {{"i", "4QUEUE"}}).command, 'c');
  client.eom({{"i", "4QUEUE"}});
  return true;
}

int passed(Milter& milter, std::string_view client, std::string_view sender, int tries) {
  MilterClient session = milter.session(client);
  int count = 0;
  for (int i = 0; i < tries; ++i) count += send_message(session, sender) ? 1 : 0;
  return count;
}

class SharedLimits : public testing::Test {
 protected:
  void publish(std::vector<policy::Mitigation> rules) {
    schema::RedisOptions options;
    options.url = *schema::parse_redis_url(redis_.unix_url());
    options.command_deadline = common::Duration(5'000);
    policy::MitigationSet::Source source;
    for (auto& rule : rules) rule.revision = ++source.revision;
    source.mitigations = std::move(rules);
    RedisPublisher(options).reconcile(source, RedisPublisher::Depth::kContent, common::now());
  }
  void start(std::initializer_list<int> shifts) {
    for (const int shift : shifts)
      milters_.push_back(std::make_unique<Milter>(redis_, seconds(shift)));
    for (const auto& milter : milters_) ASSERT_TRUE(milter->is_ready()) << milter->daemon().log();
  }
  std::string budgets() const { return redis_.cli({"KEYS", "ipmit:limit:*"}); }

  const TempRedis redis_;
  std::vector<std::unique_ptr<Milter>> milters_;
};

// The clocks of each two are 5 s or more apart.
TEST_F(SharedLimits, FiveProgramsShareAHundredPerTenSeconds) {
  publish({limited("mail/five", "domain:limited.example", 100, seconds(10))});
  start({-10, -5, 0, 5, 10});
  // Started before now, by a clock that is ahead.
  const std::string line = *find_line(milters_.back()->daemon().log(), {"event=serving"});
  const auto its_clock = common::parse_rfc3339(line.substr(0, line.find(' ')));
  ASSERT_TRUE(its_clock) << line;
  EXPECT_GT(*its_clock - common::now(), seconds(0)) << "the shift does not work";

  std::atomic<int> taken{0}, tried{0};
  const auto begin = Steady::now();
  const auto end = begin + seconds(4);
  {
    std::vector<std::jthread> clients;
    for (std::size_t i = 0; i < 10; ++i)
      clients.emplace_back([&, i] {
        MilterClient session = milters_[i % 5]->session();
        while (Steady::now() < end) {
          ++tried;
          if (send_message(session, "<a@limited.example>")) ++taken;
        }
      });
  }
  const std::chrono::duration<double> took = Steady::now() - begin;
  for (const auto& milter : milters_) EXPECT_TRUE(milter->asked_nobody_else());
  EXPECT_GT(tried, 400) << "no load at all";
  EXPECT_LE(taken, 100 + static_cast<int>(took.count() * 10) + 1) << "limit and burst";
  EXPECT_GE(taken, static_cast<int>((100 + 4 * 10) * 0.99));
  std::printf("%d of %d messages taken in %.2f s\n", taken.load(), tried.load(), took.count());
}

TEST_F(SharedLimits, TwoLimitsOnOneKeyAreTwo) {
  publish({limited("mail/wide", "domain:limited.example", 12, hours(1)),
           limited("mail/narrow", "domain:limited.example", 4, hours(2))});
  start({-5, 5});
  int taken = 0;
  for (const auto& milter : milters_)
    taken += passed(*milter, "198.51.100.7", "<a@limited.example>", 6);
  EXPECT_EQ(taken, 4) << "both are charged, the narrow one decides";
  publish({limited("mail/wide", "domain:limited.example", 12, hours(1))});
  EXPECT_TRUE(wait_until([&] {
    return passed(*milters_[0], "198.51.100.7", "<a@limited.example>", 1) == 1;
  })) << "the narrow one is gone";
  for (const auto& milter : milters_)
    taken += passed(*milter, "198.51.100.7", "<a@limited.example>", 20);
  EXPECT_EQ(taken + 1, 12) << "what the narrow one refused was not charged to the wide one";
}

TEST_F(SharedLimits, ARefusedMessageChargesNothing) {
  publish({limited("mail/domain", "domain:limited.example", 30, hours(1)),
           limited("mail/client", "198.51.100.7", 4, hours(1))});
  start({-5, 5});
  int taken = 0;
  for (const auto& milter : milters_)
    taken += passed(*milter, "198.51.100.7", "<a@limited.example>", 20);
  EXPECT_EQ(taken, 4);
  taken = 0;
  for (const auto& milter : milters_)
    taken += passed(*milter, "198.51.100.8", "<a@limited.example>", 20);
  EXPECT_EQ(taken, 26);
}

// Killed while its messages are charged and not yet taken: nobody gives those charges back.
TEST_F(SharedLimits, AKilledProgramTakesNoBudgetWithIt) {
  publish({limited("mail/few", "domain:limited.example", 20, seconds(2))});
  start({0, 5});
  std::vector<MilterClient> open;
  int charged = 0;
  for (int i = 0; i < 40; ++i) {
    open.push_back(milters_[0]->session());
    charged += open.back().mail("<a@limited.example>").command == 'c' ? 1 : 0;
  }
  EXPECT_GE(charged, 20);
  EXPECT_EQ(milters_[0]->daemon().process().stop(SIGKILL), 128 + SIGKILL);
  const long left_ms = std::stol(redis_.cli({"PTTL", budgets()}));
  EXPECT_LE(left_ms, 2'001) << "Redis itself forgets them within the refill time";
  EXPECT_TRUE(wait_until([&] { return budgets().empty(); }));
  EXPECT_GE(passed(*milters_[1], "198.51.100.7", "<a@limited.example>", 20), 20);
}

}  // namespace
}  // namespace ipmit::test
