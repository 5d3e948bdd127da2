// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <thread>

#include <unistd.h>

#include "common/host_name.h"
#include "common/http_server.h"
#include "common/log.h"
#include "common/metrics.h"
#include "conf/program_options.h"
#include "k8s/controller/announcer.h"
#include "k8s/controller/controller.h"
#include "k8s/controller/reloader.h"
#include "schema/record.h"
#include "schema/redis_url.h"
#include "schema/upkeep.h"

namespace {

using namespace ipmit;  // NOLINT(google-build-using-namespace): main of this program alone

constexpr int kFailed = 1;

schema::RedisOptions cache_options(const conf::Settings& settings) {
  schema::RedisOptions options;
  options.url = *schema::parse_redis_url(settings.cache);  // checked by controller_problem()
  options.client_name = "ipmit-controller";
  options.password_file = settings.cache_password_file;
  return options;
}

schema::ControllerSign own_sign() {
  schema::ControllerSign sign;
  sign.host = common::host_name();
  sign.id = sign.host + "/" + std::to_string(getpid());
  sign.version = IPMIT_VERSION;
  sign.since = common::to_rfc3339(common::now());
  return sign;
}

const char* state_of(const controller::Controller& leader) {
  if (!leader.is_ready()) return "no store";
  return leader.is_leading() ? "leads" : "stands by";
}

void describe(const controller::Controller& leader, schema::ControllerSign& sign) {
  sign.state = state_of(leader);
  sign.revision = leader.revision();
  sign.last_error = leader.last_error().text();
}

void serve(common::HttpServer& http, const controller::Controller& leader,
           const common::Metrics& metrics) {
  http.handle("/metrics", [&metrics](const common::HttpRequest&) {
    return common::HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8", metrics.to_text()};
  });
  http.handle("/livez", [](const common::HttpRequest&) {
    return common::HttpResponse{200, "text/plain", "alive\n"};
  });
  http.handle("/readyz", [&leader](const common::HttpRequest&) {
    return common::HttpResponse{leader.is_ready() ? 200 : 503, "text/plain",
                                std::string(state_of(leader)) + "\n"};
  });
}

sigset_t service_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

// Ends when SIGTERM or SIGINT comes. All are blocked in all threads, so sigwait() gets them.
void run_until_signalled(controller::Controller& leader, controller::Reloader& reloader) {
  std::exception_ptr failure;
  std::jthread worker([&](const std::stop_token& stop) {
    try {
      leader.run(stop);
    } catch (...) {
      failure = std::current_exception();
      kill(getpid(), SIGTERM);  // wakes sigwait() below
    }
  });
  const sigset_t signals = service_signals();
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) reloader.reload();
  common::log_event(common::LogLevel::kInfo, "stopping", {{"signal", signal}});
  worker.request_stop();
  worker.join();
  if (failure) std::rethrow_exception(failure);
}

void run(const conf::Settings& settings) {
  common::Metrics metrics;
  const schema::RedisOptions cache = cache_options(settings);
  const schema::ControllerSign sign = own_sign();
  schema::LeaderLock lock(settings.store, schema::kControllerLock, sign.id);
  schema::RedisPublisher publisher(cache);
  schema::RedisHits hits(cache);
  // The leader brings the schema up to date.
  schema::Upkeep upkeep([&] { return schema::open_record(settings.store, false); },
                        {settings.retention.statistics, settings.retention.findings,
                         settings.retention.audit, settings.retention.dead_recipients});
  controller::Controller leader(
      {.upkeep = [&](common::TimePoint now) { upkeep.run_if_due(now); }},
      [&] { return schema::open_store(settings.store, true); }, lock, publisher, hits, metrics);
  controller::Announcer announcer(cache, sign, [&](auto& own) { describe(leader, own); });
  controller::Reloader reloader(
      [&] {
        return conf::load_settings(settings.file.empty()
                                       ? std::nullopt
                                       : std::optional<std::filesystem::path>(settings.file));
      },
      settings, metrics);
  std::optional<common::HttpServer> http;
  if (!settings.controller.metrics_listen.empty()) {
    http.emplace(common::HttpServer::Options{.listen = settings.controller.metrics_listen});
    serve(*http, leader, metrics);
  }
  common::log_event(common::LogLevel::kInfo, "started",
                    {{"version", IPMIT_VERSION}, {"metrics_port", http ? http->port() : 0}});
  run_until_signalled(leader, reloader);
}

}  // namespace

int main(int argc, char** argv) {
  const sigset_t signals = service_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  try {
    const auto parsed = conf::read_command_line(
        argc, argv,
        {.name = "ipmit-controller",
         .purpose = "keeps the cache (Redis) equal to the record (PostgreSQL)",
         .versions = "",
         .check = controller::controller_problem});
    if (const int* code = std::get_if<int>(&parsed)) return *code;
    const auto& settings = std::get<conf::Settings>(parsed);
    common::start_log("ipmit-controller", settings.log.level);
    run(settings);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ipmit-controller: %s\n", error.what());
    return kFailed;
  }
}
