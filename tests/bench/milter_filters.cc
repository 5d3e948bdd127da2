// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/milter_filters.h"

#include <filesystem>
#include <thread>

#include <libmilter/mfapi.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "milter/service.h"
#include "milter/supervisor.h"

namespace ipmit::bench {
namespace {

using namespace ipmit::milter;

class HoldingLimiter : public Limiter {
 public:
  explicit HoldingLimiter(int held_ms) : held_ms_(held_ms) {}
  Result charge(std::span<const policy::Charge>, TimePoint) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(held_ms_));
    return {};
  }
  void refund(std::span<const policy::Charge>, TimePoint) override {}

 private:
  const int held_ms_;
};

std::shared_ptr<const policy::MitigationSet> make_rules(const FilterOptions& options) {
  policy::MitigationSet::Source source;
  policy::Mitigation rule;
  rule.reason = "bench";
  rule.action = policy::Action::kDefer;
  for (int i = 0; i < options.rules; ++i) {
    rule.name = "bench/" + std::to_string(i);
    rule.targets = {policy::Target::parse("10." + std::to_string(i / 250 % 250) + "." +
                                          std::to_string(i % 250) + ".0/24")
                        .value()};
    source.mitigations.push_back(rule);
  }
  if (options.held_ms > 0) {
    rule.name = "bench/held";
    rule.targets = {policy::Target::parse("user:held").value()};
    rule.action = policy::Action::kThrottle;
    rule.rate_limit = policy::RateLimit{.limit = 1, .period = std::chrono::hours(1), .burst = 1};
    source.mitigations.push_back(rule);
  }
  return policy::MitigationSet::build(source);
}

void run_ipmit(const FilterOptions& options) {
  block_service_signals();
  common::start_log("bench", common::LogLevel::kError);
  common::Metrics metrics;
  common::Snapshot<policy::MitigationSet> rules(make_rules(options));
  auto session = std::make_shared<SessionOptions>();
  if (options.trace_header) {
    const std::string keys = options.socket + ".keys";
    if (!std::filesystem::exists(keys)) common::KeyRing::create_file(keys);
    session->trace_box = std::make_shared<common::SecretBox>(common::KeyRing::load(keys));
  }
  common::Snapshot<SessionOptions> current(session);
  HoldingLimiter limiter(options.held_ms);
  HitRecorder hits({}, common::Duration{1'000});
  ServiceOptions service;
  service.listen = "unix:" + options.socket;
  service.drain_grace = common::Duration{0};
  service.backlog = 4096;
  run_service(service, {.rules = rules,
                        .options = current,
                        .limiter = limiter,
                        .hits = hits,
                        .metrics = metrics,
                        .rule_state = [](TimePoint) { return RuleState::kFresh; },
                        .reload = [] {},
                        .update_gauges = {}});
}

sfsistat go_on(SMFICTX*) {
  return SMFIS_CONTINUE;
}
// As long as a trace header of ours.
sfsistat add_header(SMFICTX* ctx) {
  static char name[] = "X-Empty-Trace";
  static char value[] =
      "0123456789012345678901234567890123456789012345678901234567890123456789\n\t"
      "0123456789012345678901234567890123456789012345678901234567890123456789";
  smfi_insheader(ctx, 0, name, value);
  return SMFIS_CONTINUE;
}
sfsistat go_on_arguments(SMFICTX*, char**) {
  return SMFIS_CONTINUE;
}
sfsistat go_on_connect(SMFICTX*, char*, _SOCK_ADDR*) {
  return SMFIS_CONTINUE;
}

sfsistat negotiate(SMFICTX* ctx, unsigned long actions, unsigned long steps, unsigned long,
                   unsigned long, unsigned long* want_actions, unsigned long* want_steps,
                   unsigned long* f2, unsigned long* f3) {
  *want_actions = actions & (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_SETSYMLIST);
  *want_steps = steps & (SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY |
                         SMFIP_NOUNKNOWN | SMFIP_RCPT_REJ);
  *f2 = *f3 = 0;
  char list[] = "i {auth_authen}";
  smfi_setsymlist(ctx, SMFIM_EOM, list);
  return SMFIS_CONTINUE;
}

void run_empty(const FilterOptions& options) {
  char name[] = "empty";
  smfiDesc filter{};
  filter.xxfi_name = name;
  filter.xxfi_version = SMFI_VERSION;
  filter.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_SETSYMLIST;
  filter.xxfi_connect = go_on_connect;
  filter.xxfi_envfrom = go_on_arguments;
  filter.xxfi_envrcpt = go_on_arguments;
  filter.xxfi_eom = options.trace_header ? add_header : go_on;
  filter.xxfi_abort = go_on;
  filter.xxfi_close = go_on;
  filter.xxfi_negotiate = negotiate;
  smfi_register(filter);
  std::string where = "unix:" + options.socket;
  smfi_setconn(where.data());
  smfi_setbacklog(4096);
  smfi_main();
}

template <typename Run>
pid_t start(const FilterOptions& options, Run run) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // ends with the benchmark, however that ends
  run(options);
  _exit(0);
}

}  // namespace

pid_t start_ipmit_filter(const FilterOptions& options) {
  return start(options, run_ipmit);
}
pid_t start_empty_filter(const FilterOptions& options) {
  return start(options, run_empty);
}

void end_filter(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

}  // namespace ipmit::bench
