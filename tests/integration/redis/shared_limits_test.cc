// SPDX-License-Identifier: Apache-2.0
// Rate limits shared by ipmit-milter programs, asked as Postfix asks them: exact whatever their
// clocks say, and whatever becomes of one of them.
#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
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

// A whole message: true if it was taken. `charged`: when it was asked for and when answered.
struct Asked {
  Steady::time_point sent, answered;
};
bool send_message(MilterClient& client, std::string_view sender, Asked* charged = nullptr) {
  const auto sent = Steady::now();
  const auto mail = client.mail(sender);
  if (charged != nullptr) *charged = {sent, Steady::now()};
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
  // Each program asked at the same time, `tries` times; how many were taken.
  int passed_by_all(std::string_view client, int tries) {
    std::atomic<int> taken{0};
    {
      std::vector<std::jthread> clients;
      for (const auto& milter : milters_)
        clients.emplace_back(
            [&] { taken += passed(*milter, client, "<a@limited.example>", tries); });
    }
    return taken;
  }
  std::string budgets() const { return redis_.cli({"KEYS", "ipmit:limit:*"}); }

  const TempRedis redis_;
  std::vector<std::unique_ptr<Milter>> milters_;
};

double seconds_between(Steady::time_point begin, Steady::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

// How many messages more than `burst` and `rate` a second were taken in the worst of all windows.
// A message counts for a window only if it was asked for and answered inside, so no delay between
// Redis and here can make a good limit look bad. `taken` by time of answer.
double worst_excess(const std::vector<Asked>& taken, double burst, double rate) {
  double worst = -burst;
  for (const Asked& first : taken) {
    int inside = 0;
    for (const Asked& message : taken) {
      if (message.sent < first.sent) continue;
      ++inside;
      const double due = burst + rate * seconds_between(first.sent, message.answered);
      worst = std::max(worst, inside - due);
    }
  }
  return worst;
}

// The clocks of each two are 5 s or more apart.
TEST_F(SharedLimits, FiveProgramsShareAHundredPerTenSeconds) {
  publish({limited("mail/five", "domain:limited.example", 100, seconds(10))});
  start({-10, -5, 0, 5, 10});
  // Started before now, by a clock that is ahead.
  const std::string line = *find_line(milters_.back()->daemon().log(), {"event=serving"});
  const auto its_clock = common::parse_rfc3339(line.substr(0, line.find(' ')));
  ASSERT_TRUE(its_clock) << line;
  EXPECT_GT(*its_clock - common::now(), seconds(0)) << "the shift does not work";

  constexpr double kBurst = 100, kRate = 10;
  std::atomic<int> tried{0};
  std::mutex mutex;
  std::vector<Asked> taken;
  const auto begin = Steady::now();
  const auto end = begin + seconds(21);
  {
    std::vector<std::jthread> clients;
    for (std::size_t i = 0; i < 10; ++i)
      clients.emplace_back([&, i] {
        MilterClient session = milters_[i % 5]->session();
        Asked message;
        while (Steady::now() < end) {
          ++tried;
          if (!send_message(session, "<a@limited.example>", &message)) continue;
          const std::lock_guard lock(mutex);
          taken.push_back(message);
        }
      });
  }
  std::sort(taken.begin(), taken.end(),
            [](const Asked& a, const Asked& b) { return a.answered < b.answered; });
  const auto most = static_cast<double>(taken.size());
  const double took = seconds_between(begin, Steady::now());
  for (const auto& milter : milters_) EXPECT_TRUE(milter->asked_nobody_else());
  EXPECT_GT(tried, 2'000) << "no load at all";
  const double excess = worst_excess(taken, kBurst, kRate);
  // Half of one, for clocks that are slewed: ours measures, the one of Redis counts.
  EXPECT_LT(excess, 0.5) << "limit and burst, in every window";
  // Until the last possible try; what comes later is due to nobody.
  EXPECT_GE(most, (kBurst + kRate * seconds_between(begin, end)) * 0.99);
  std::printf("%.0f of %d messages taken in %.2f s, at most %.1f more than due in a window\n", most,
              tried.load(), took, excess);
}

TEST_F(SharedLimits, TwoLimitsOnOneKeyAreTwo) {
  publish({limited("mail/wide", "domain:limited.example", 60, hours(1)),
           limited("mail/narrow", "domain:limited.example", 20, hours(2))});
  start({-10, -5, 0, 5, 10});
  EXPECT_EQ(passed_by_all("198.51.100.7", 12), 20) << "both are charged, the narrow one decides";
  publish({limited("mail/wide", "domain:limited.example", 60, hours(1))});
  int taken = 20;
  for (const auto& milter : milters_)
    EXPECT_TRUE(wait_until([&] {
      const int more = passed(*milter, "198.51.100.7", "<a@limited.example>", 1);
      taken += more;
      return more == 1;
    })) << "the narrow one is gone";
  taken += passed_by_all("198.51.100.7", 30);
  EXPECT_EQ(taken, 60) << "what the narrow one refused was not charged to the wide one";
}

TEST_F(SharedLimits, ARefusedMessageChargesNothing) {
  publish({limited("mail/domain", "domain:limited.example", 90, hours(1)),
           limited("mail/client", "198.51.100.7", 30, hours(1))});
  start({-10, -5, 0, 5, 10});
  EXPECT_EQ(passed_by_all("198.51.100.7", 60), 30);
  EXPECT_EQ(passed_by_all("198.51.100.8", 60), 60);
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
