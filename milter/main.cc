// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <variant>

#include <unistd.h>

#include "common/log.h"
#include "conf/program_options.h"
#include "conf/settings.h"
#include "milter/decision_state.h"
#include "milter/milter_glue.h"
#include "milter/service.h"
#include "milter/supervisor.h"
#include "milter/wiring.h"

namespace {

using namespace ipmit;

// Order: rules first, the socket last, so that no message is decided without them.
void serve(const conf::Settings& settings) {
  common::Metrics metrics;
  common::Snapshot<milter::SessionOptions> options(milter::session_options(settings.milter));
  milter::DecisionState state(settings, metrics);
  state.start();
  milter::RuleFeed& feed = state.feed();
  milter::HitRecorder hits(state.hit_sink(), common::Duration{2'000});
  const auto read_again = [file = settings.file] {
    return conf::load_settings(file.empty() ? std::nullopt
                                            : std::optional<std::filesystem::path>(file));
  };
  milter::Reloader reloader(read_again, settings, options, feed, metrics);
  milter::run_service(milter::service_options(settings.milter),
                      {.rules = feed.rules(),
                       .options = options,
                       .limiter = state.limiter(),
                       .hits = hits,
                       .metrics = metrics,
                       .rule_state = [&feed](common::TimePoint now) { return feed.state(now); },
                       .reload = [&reloader] { reloader.reload(); },
                       .update_gauges = [&feed] { feed.update_gauges(common::now()); }});
}

}  // namespace

int main(int argc, char** argv) {
  milter::block_service_signals();
  try {
    const auto start =
        conf::read_command_line(argc, argv,
                                {.name = "ipmit-milter",
                                 .purpose = "decides the mail that a Postfix takes in",
                                 .versions = milter::libmilter_version(),
                                 .check = milter::milter_problem});
    if (const int* status = std::get_if<int>(&start)) return *status;
    const auto& settings = std::get<conf::Settings>(start);
    common::start_log("ipmit-milter", settings.log.level);
    serve(settings);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ipmit-milter: %s\n", error.what());
    std::fflush(nullptr);
    _exit(1);  // libmilter's threads may be running already
  }
}
