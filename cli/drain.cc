// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>
#include <optional>
#include <ostream>

#include <poll.h>

#include "cli/line_client.h"
#include "cli/target_match.h"
#include "cli/verbs.h"

namespace ipmit::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Duration kRequest{5'000};
constexpr Duration kMargin{10'000};  // beyond the milter's own grace

enum class Phase { kServing, kDraining, kGone };

Phase phase(const std::string& endpoint) {
  const auto reply = http_request(endpoint, "GET", "/readyz", kRequest);
  if (!reply) return Phase::kGone;
  return reply->body.rfind("draining", 0) == 0 ? Phase::kDraining : Phase::kServing;
}

struct DrainOptions {
  std::string patience;
  bool no_wait = false;
};

// The milter has ended when its health endpoint is gone, or when a successor answers there instead.
// Right after the request it may not say "draining" yet, so "serving" counts only after that.
bool wait_until_gone(const std::string& endpoint, Duration patience) {
  const auto end = SteadyClock::now() + patience;
  bool drained = false;
  while (SteadyClock::now() < end) {
    const Phase now = phase(endpoint);
    if (now == Phase::kGone || (now == Phase::kServing && drained)) return true;
    drained = drained || now == Phase::kDraining;
    poll(nullptr, 0, 100);
  }
  return false;
}

ExitCode run_drain(Context& context, const DrainOptions& options) {
  const conf::MilterSettings& milter = context.settings.milter;
  std::optional<Duration> patience = milter.drain_grace + kMargin;
  if (!options.patience.empty()) patience = common::parse_duration(options.patience);
  if (!patience)
    return context.bad_input("drain: --wait: wants a duration such as 30s, has \"" +
                             options.patience + "\"");
  const std::string& endpoint = milter.metrics_listen;
  if (endpoint.empty())
    return context.bad_input(
        "drain: milter.metrics_listen is empty, so the milter cannot be asked; send it SIGTERM");
  if (phase(endpoint) == Phase::kGone)
    return context.environment("no milter answers at " + endpoint +
                               " (milter.metrics_listen); is it running?");
  // A milter without open sessions may be gone before its answer is sent: then it did as asked.
  const auto reply = http_request(endpoint, "POST", "/drain", kRequest);
  if (reply && reply->status != 202)
    return context.failed("the milter at " + endpoint + " answered " +
                          std::to_string(reply->status));
  if (!reply && options.no_wait && phase(endpoint) == Phase::kServing)
    return context.environment("the milter at " + endpoint + " did not answer; try again");
  const bool gone = options.no_wait || wait_until_gone(endpoint, *patience);
  if (!gone)
    return context.failed("sessions are still open after " + common::to_duration_text(*patience) +
                          "; see ipmit_milter_sessions_open at " + endpoint + "/metrics");
  const char* state = options.no_wait ? "draining" : "drained";
  if (context.json())
    context.out << R"({"milter":)" << json_string(endpoint) << R"(,"state":")" << state << "\"}\n";
  else
    context.out << "the milter at " << endpoint
                << (options.no_wait ? " takes no new sessions\n" : " has ended its sessions\n");
  return kOk;
}

}  // namespace

Run declare_drain(VerbParser& parser) {
  auto o = std::make_shared<DrainOptions>();
  parser.option("--wait", o->patience, "How long to wait (default: milter.drain_grace + 10s)");
  parser.flag("--no-wait", o->no_wait, "Ask and return");
  return [o](Context& context) { return run_drain(context, *o); };
}

}  // namespace ipmit::cli
