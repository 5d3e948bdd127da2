// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <unistd.h>

#include "common/log.h"
#include "conf/program_options.h"
#include "conf/settings.h"
#include "milter/announcer.h"
#include "milter/limiter.h"
#include "milter/milter_glue.h"
#include "milter/redis_limiter.h"
#include "milter/rule_feed.h"
#include "milter/service.h"
#include "milter/supervisor.h"
#include "milter/wiring.h"
#include "schema/redis_source.h"
#include "schema/store.h"

namespace {

using namespace ipmit;

// In a cluster: rules and shared limits come from Redis, and Redis hears that we live.
struct Cluster {
  schema::RedisOptions redis;
  milter::RedisLimiter* limiter = nullptr;
};

schema::RedisOptions redis_options(const conf::Settings& settings) {
  schema::RedisOptions options;
  options.url = schema::parse_redis_url(settings.cache).value();  // checked by load_settings()
  options.client_name = "ipmit-milter";
  options.password_file = settings.cache_password_file;
  return options;
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

milter::RuleFeed::SourceFactory source_factory(const conf::Settings& settings) {
  if (!settings.cache.empty()) {
    return
        [redis = redis_options(settings)] { return std::make_unique<schema::RedisSource>(redis); };
  }
  return [url = settings.store] { return schema::open_store(url, true); };
}

std::unique_ptr<milter::Limiter> make_limiter(const conf::Settings& settings,
                                              std::optional<Cluster>& cluster,
                                              common::Metrics& metrics) {
  const conf::LimiterSettings& limits = settings.milter.limiter;
  if (settings.cache.empty()) return std::make_unique<milter::LocalLimiter>(limits.most_keys);
  milter::RedisLimiter::Options options;
  options.redis = redis_options(settings);
  options.deadline = limits.redis_deadline;
  options.most_local_keys = limits.most_keys;
  auto limiter = std::make_unique<milter::RedisLimiter>(options, metrics);
  cluster = Cluster{options.redis, limiter.get()};
  return limiter;
}

// Order: rules first, the socket last, so that no message is decided without them.
void serve(const conf::Settings& settings) {
  common::Metrics metrics;
  common::Snapshot<milter::SessionOptions> options(milter::session_options(settings.milter));
  std::optional<Cluster> cluster;
  const std::unique_ptr<milter::Limiter> limiter = make_limiter(settings, cluster, metrics);
  milter::RuleFeed feed(milter::feed_options(settings.milter), source_factory(settings), metrics);
  feed.start();
  std::optional<milter::Announcer> announcer;
  if (cluster) {
    announcer.emplace(
        milter::Announcer::Options{
            .redis = cluster->redis, .host = host_name(), .version = IPMIT_VERSION},
        feed,
        [shared = cluster->limiter](std::uint32_t count) { shared->set_live_milters(count); });
  }
  // In a cluster the milter reads Redis alone; the store is not for it.
  milter::HitRecorder hits(cluster ? milter::HitRecorder::Sink{} : milter::hit_sink(settings.store),
                           common::Duration{2'000});
  const auto read_again = [file = settings.file] {
    return conf::load_settings(file.empty() ? std::nullopt
                                            : std::optional<std::filesystem::path>(file));
  };
  milter::Reloader reloader(read_again, settings, options, feed, metrics);
  milter::run_service(milter::service_options(settings.milter),
                      {.rules = feed.rules(),
                       .options = options,
                       .limiter = *limiter,
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
                                 .versions = milter::libmilter_version()});
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
