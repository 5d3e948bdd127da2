// SPDX-License-Identifier: Apache-2.0
#include "tests/support/test_fleet.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "common/error.h"
#include "common/stoppable_wait.h"
#include "schema/redis_publisher.h"
#include "schema/redis_url.h"

namespace ipmit::test {
namespace {

const schema::ChangeNote kNote{"tester", "a test"};
constexpr std::size_t kInsertAtOnce = 200;
constexpr std::chrono::milliseconds kStartPatience{60'000};

policy::Mitigation make(std::string name, const std::string& target, policy::Action action) {
  policy::Mitigation rule;
  rule.name = std::move(name);
  rule.targets = {policy::Target::parse(target).value()};
  rule.action = action;
  rule.reason = "test";
  return rule;
}

std::string change_domain(int number) {
  return "change" + std::to_string(number) + ".example";
}

}  // namespace

TestFleet::TestFleet(std::string cache, const Options& options)
    : cache_(std::move(cache)), extra_(options.extra), database_(postgres_.create_database()) {
  if (options.standby) standby_ = std::make_unique<TempPostgres>(TempPostgres::StandbyOf{postgres_});
  write_file(config(), config_text(""));
  fill(options.rules);
  for (std::size_t i = 0; i < options.controllers; ++i) start_controller(i);
  for (std::size_t i = 0; i < options.milters; ++i) {
    const std::string name = "milter" + std::to_string(i);
    milters_.push_back(start_milter(name, (directory_ / (name + ".sock")).string()));
    probes_.push_back(nullptr);
  }
  if (!wait_until([this] { return leader() >= 0; }, kStartPatience))
    throw std::runtime_error("no controller leads\n" + logs());
  change();
  if (!wait_enforced(kStartPatience)) throw std::runtime_error("the fleet is not up\n" + logs());
}

std::string TestFleet::store_url() const {
  std::string url = postgres_.url(database_);
  if (standby_) url += "," + standby_->host();
  return url;
}

void TestFleet::fail_over_postgres(Failover how, const std::function<void()>& meanwhile) {
  if (how == Failover::kLosesChanges) standby_->stop_receiving();
  if (meanwhile) meanwhile();
  if (how != Failover::kLosesChanges &&
      !wait_until([this] { return standby_->has_all_of(postgres_); }))
    throw std::runtime_error("the standby does not catch up");
  if (how == Failover::kOldOneHangs) {
    postgres_.pause();
    store_.reset();  // which would wait for it
  } else {
    postgres_.kill();
  }
  standby_->promote();
  primary_ = standby_.get();
  // A sequence jumps ahead at a promotion, mostly; the worst is one that does not.
  if (how == Failover::kLosesChanges)
    primary_->sql(database_, "SELECT setval('ipmit.revision', revision) FROM ipmit.state");
}

std::string TestFleet::config_text(std::string_view section) const {
  return "store: " + store_url() + "\ncache: " + cache_ + "\n" + extra_ + std::string(section);
}

schema::Store& TestFleet::store() {
  if (!store_) store_ = schema::open_store(store_url(), true);
  return *store_;
}

void TestFleet::fill(std::size_t rules) {
  put(make("listed/reject", "203.0.113.66", policy::Action::kReject));
  policy::Mitigation throttle = make("listed/throttle", "203.0.113.77", policy::Action::kThrottle);
  throttle.rate_limit = policy::RateLimit{10'000'000, std::chrono::hours(1), 10'000'000,
                                          policy::RateUnit::kMessages, policy::RateKey::kTarget};
  put(std::move(throttle));
  // The state row that counts revisions gets a version for each change of a transaction, so many
  // short ones are quicker than a long one.
  std::string sql;
  for (std::size_t first = 1; first <= rules; first += kInsertAtOnce)
    sql +=
        "INSERT INTO ipmit.mitigations (name, targets, action, reason) "
        "SELECT 'bulk/' || n, ARRAY[host('10.0.0.0'::inet + n)], 'Reject', 'listed' "
        "FROM generate_series(" +
        std::to_string(first) + ", " + std::to_string(std::min(rules, first + kInsertAtOnce - 1)) +
        ") n;\n";
  if (!sql.empty()) postgres_.sql(database_, sql);
}

void TestFleet::start_controller(std::size_t i) {
  const std::uint16_t port = free_port();
  auto daemon = std::make_unique<Daemon>(directory_, "ipmit-controller",
                                         "controller" + std::to_string(i), port);
  daemon->write_config(
      config_text("controller:\n  metrics_listen: 127.0.0.1:" + std::to_string(port) + "\n"));
  daemon->start();
  controllers_.push_back(std::move(daemon));
}

std::unique_ptr<Daemon> TestFleet::start_milter(const std::string& name, const std::string& socket,
                                                const std::string& settings) {
  const std::uint16_t port = free_port();
  auto daemon = std::make_unique<Daemon>(directory_, "ipmit-milter", name, port);
  daemon->write_config("cache: " + cache_ + "\n" + extra_ + "milter:\n  socket: unix:" + socket +
                       "\n  metrics_listen: 127.0.0.1:" + std::to_string(port) +
                       "\n  snapshot_file: " + (directory_ / (name + ".rules")).string() +
                       "\n  trace_key_file: " + (directory_ / "trace.keys").string() + "\n" +
                       settings);
  daemon->start();
  // The first one makes the key of the trace header, which all share.
  if (!daemon->wait_for_log("event=serving")) throw std::runtime_error(daemon->log());
  return daemon;
}

common::ListenAddress TestFleet::address(std::size_t milter) const {
  const std::string name = "milter" + std::to_string(milter) + ".sock";
  return common::parse_listen_address("unix:" + (directory_ / name).string()).value();
}

std::vector<common::ListenAddress> TestFleet::addresses() const {
  std::vector<common::ListenAddress> all;
  for (std::size_t i = 0; i < milters_.size(); ++i) all.push_back(address(i));
  return all;
}

int TestFleet::leader() const {
  int found = -1;
  for (std::size_t i = 0; i < controllers_.size(); ++i) {
    if (!controllers_[i]->running() || controllers_[i]->metric("ipmit_controller_leader") != 1)
      continue;
    if (found >= 0) return -1;
    found = static_cast<int>(i);
  }
  return found;
}

CommandResult TestFleet::ctl(Arguments words) const {
  words.insert(words.begin(), {std::string(IPMIT_PROGRAM_DIR) + "/ipmitctl", "--config", config()});
  return run_command(words);
}

void TestFleet::put(policy::Mitigation mitigation) {
  std::string reason;
  const auto stored = [&] {
    try {
      store().put(mitigation, schema::PutMode::kAddOrReplace, kNote, common::now());
      return true;
    } catch (const common::TransientError& error) {
      reason = error.what();
      return false;
    }
  };
  if (!wait_until(stored, kStartPatience)) throw std::runtime_error(reason);
}

int TestFleet::change() {
  const int number = ++changes_;
  put(make("change/" + std::to_string(number), "domain:" + change_domain(number),
           policy::Action::kReject));
  return number;
}

bool TestFleet::refuses(std::size_t milter, const std::string& sender) {
  std::unique_ptr<MilterClient>& probe = probes_[milter];
  if (!probe || !probe->is_open())
    probe = std::make_unique<MilterClient>(open_session(address(milter), "192.0.2.20"));
  const MilterReply reply = probe->mail("<" + sender + ">");
  if (reply.command == '?') {
    probe.reset();
    return false;
  }
  probe->abort();
  return reply.command == 'y';
}

bool TestFleet::all_enforce_change() {
  for (std::size_t i = 0; i < milters_.size(); ++i)
    if (!refuses(i, "a@" + change_domain(changes_))) return false;
  return true;
}

bool TestFleet::any_enforces(int number) {
  for (std::size_t i = 0; i < milters_.size(); ++i)
    if (refuses(i, "a@" + change_domain(number))) return true;
  return false;
}

bool TestFleet::all_hold_as_many() {
  const auto count = static_cast<double>(
      std::stoul(primary_->sql(database_, "SELECT count(*) FROM ipmit.mitigations")));
  for (const auto& milter : milters_)
    if (milter->metric("ipmit_milter_rules_loaded") != count) return false;
  return true;
}

std::size_t TestFleet::differences() {
  schema::RedisOptions options;
  options.url = schema::parse_redis_url(cache_).value();
  schema::RedisPublisher publisher(options);
  return publisher
      .reconcile(store().load().set, schema::RedisPublisher::Depth::kContent, common::now())
      .repaired();
}

std::string TestFleet::logs() const {
  std::string all;
  for (const auto* list : {&controllers_, &milters_})
    for (const auto& daemon : *list) all += daemon->log() + "---\n";
  return all;
}

SessionLoop::SessionLoop(std::vector<common::ListenAddress> milters)
    : milters_(std::move(milters)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

std::vector<std::string> SessionLoop::stop() {
  thread_ = std::jthread();
  return failures_;
}

void SessionLoop::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    for (const common::ListenAddress& milter : milters_) {
      session(milter, "192.0.2.10", false);
      session(milter, "203.0.113.66", true);
      session(milter, "203.0.113.77", false);
    }
    common::wait_unless_stopped(std::chrono::milliseconds(10), stop);
  }
}

void SessionLoop::session(const common::ListenAddress& milter, const char* client, bool refused) {
  MilterClient postfix = open_session(milter, client);
  const MilterReply mail = postfix.mail("<orders@example.com>");
  ++sessions_;
  if (refused) {
    if (mail.command != 'y' || !mail.text.starts_with("550"))
      failures_.push_back(std::string(client) + ": MAIL: " + mail.command + " " + mail.text);
    postfix.quit();
    return;
  }
  const MilterReply rcpt = postfix.rcpt("<reader@example.net>");
  const MilterReply end = postfix.eom({{"i", "4XyZ"}}).reply;
  for (const auto& [step, reply] :
       {std::pair{"MAIL", mail}, std::pair{"RCPT", rcpt}, std::pair{"end", end}})
    if (reply.command != 'c' && reply.command != 'a')
      failures_.push_back(std::string(client) + ": " + step + ": " + reply.command + " " +
                          reply.text);
  postfix.quit();
}

}  // namespace ipmit::test
