// SPDX-License-Identifier: Apache-2.0
#include "tests/support/temp_milter.h"

#include <stdexcept>

#include "common/clock.h"

namespace ipmit::test {
namespace fs = std::filesystem;
namespace {

const schema::ChangeNote kNote{.who = "test", .why = "integration test"};

}  // namespace

TempMilter::TempMilter(const TempPostfix& postfix)
    : directory_(postfix.directory()),
      base_{{"socket", "unix:" + postfix.milter_socket().string()},
            {"socket_group", "postfix"},
            {"reentry_ports", "[" + std::to_string(postfix.reentry_port()) + "]"}},
      store_(schema::open_store("sqlite:" + (directory_ / "ipmit.db").string(), true)) {}

void TempMilter::start(const Settings& settings) {
  launch(settings);
  wait_for_revision(store_->revision());
}

void TempMilter::damage_store() {
  store_.reset();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const fs::path file = directory_ / (std::string("ipmit.db") + suffix);
    if (fs::exists(file)) write_file(file, "this is no database");
  }
}

void TempMilter::start_from_disk() {
  launch({});
}

void TempMilter::launch(const Settings& settings) {
  Settings all = base_;
  for (const auto& [key, value] : settings) all[key] = value;
  daemon_.reset();
  // Its log and settings have a name that no other has: the port is leased for this process's life.
  daemon_ = std::make_unique<MilterDaemon>(
      directory_, "milter-" + std::to_string(free_port()),
      MilterDaemon::Options{.settings = all, .limits = {}, .cache = {}, .environment = {}});
  if (!daemon_->wait_ready()) {
    throw std::runtime_error("ipmit-milter did not get ready:\n" + log());
  }
}

void TempMilter::put(policy::Mitigation mitigation) {
  const auto result = store_->put(mitigation, schema::PutMode::kAddOrReplace, kNote, common::now());
  if (result != schema::PutResult::kAdded && result != schema::PutResult::kReplaced) {
    throw std::runtime_error(mitigation.name + " was not stored");
  }
  if (is_running()) wait_for_revision(mitigation.revision);
}

void TempMilter::exempt(std::string_view target) {
  policy::Exemption exemption{policy::Target::parse(target).value(), "integration test", {}, 0};
  store_->put_exemption(exemption, kNote, common::now());
  if (is_running()) wait_for_revision(exemption.revision);
}

void TempMilter::release(std::string_view name) {
  if (!store_->release(name, {}, kNote, common::now())) {
    throw std::runtime_error(std::string(name) + " is not there");
  }
  if (is_running()) wait_for_revision(store_->revision());
}

void TempMilter::wait_for_revision(std::uint64_t revision) {
  const auto wanted = static_cast<double>(revision);
  if (!wait_until([&] { return metric("ipmit_milter_rules_revision") >= wanted; })) {
    throw std::runtime_error("rules of revision " + std::to_string(revision) +
                             " are not in force:\n" + log());
  }
}

std::optional<std::string> TempMilter::wait_for_log(const std::vector<std::string>& parts) const {
  std::optional<std::string> found;
  wait_until([&] { return (found = find_line(log(), parts)).has_value(); });
  return found;
}

policy::Mitigation rule(std::string_view name, policy::Action action, std::string_view target) {
  policy::Mitigation mitigation = make_rule(name, target, action);
  if (action == policy::Action::kThrottle) {
    mitigation.rate_limit = policy::RateLimit{
        .limit = 1, .period = std::chrono::hours(1), .burst = 1, .unit = {}, .per = {}};
  }
  return mitigation;
}

}  // namespace ipmit::test
