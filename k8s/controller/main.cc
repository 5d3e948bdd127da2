// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <exception>
#include <iostream>
#include <optional>
#include <thread>

#include <unistd.h>

#include "common/error.h"
#include "common/http_server.h"
#include "common/log.h"
#include "common/metrics.h"
#include "conf/program_options.h"
#include "k8s/controller/controller.h"
#include "schema/redis_url.h"

namespace {

using namespace ipmit;  // NOLINT(google-build-using-namespace): main of this program alone

constexpr int kBadConfiguration = 2;
constexpr int kFailed = 1;

// One key for all controllers of a database: "ipmit" in ASCII.
constexpr std::int64_t kLeaderKey = 0x69706d6974;

std::optional<schema::RedisOptions> cache_options(const conf::Settings& settings) {
  const auto url = schema::parse_redis_url(settings.cache);
  if (!url) {
    std::cerr << "ipmit-controller: cache: " << url.problem() << "\n";
    return std::nullopt;
  }
  schema::RedisOptions options;
  options.url = *url;
  options.client_name = "ipmit-controller";
  options.password_file = settings.cache_password_file;
  return options;
}

bool fits_a_controller(const conf::Settings& settings) {
  const std::string where = settings.file.empty() ? "built-in defaults" : settings.file;
  if (!settings.store.starts_with("postgresql://")) {
    std::cerr << where << ": store: the controller needs postgresql://…; with SQLite the milter "
              << "reads the store itself and no controller is needed\n";
    return false;
  }
  if (settings.cache.empty()) {
    std::cerr << where << ": cache: the controller needs redis://… to write to\n";
    return false;
  }
  return true;
}

void serve(common::HttpServer& http, const controller::Controller& leader,
           const common::Metrics& metrics) {
  http.handle("/metrics", [&metrics](const common::HttpRequest&) {
    return common::HttpResponse{200, "text/plain; version=0.0.4", metrics.to_text()};
  });
  http.handle("/livez", [](const common::HttpRequest&) {
    return common::HttpResponse{200, "text/plain", "alive\n"};
  });
  http.handle("/readyz", [&leader](const common::HttpRequest&) {
    if (!leader.is_ready()) return common::HttpResponse{503, "text/plain", "no store\n"};
    return common::HttpResponse{200, "text/plain", leader.is_leading() ? "leads\n" : "stands by\n"};
  });
}

// Ends when SIGTERM or SIGINT comes. Both are blocked in all threads, so sigwait() gets them.
void run_until_signalled(controller::Controller& leader, const sigset_t& signals) {
  std::exception_ptr failure;
  std::jthread worker([&](const std::stop_token& stop) {
    try {
      leader.run(stop);
    } catch (...) {
      failure = std::current_exception();
      kill(getpid(), SIGTERM);  // wakes sigwait() below
    }
  });
  int signal = 0;
  sigwait(&signals, &signal);
  common::log_event(common::LogLevel::kInfo, "stopping", {{"signal", signal}});
  worker.request_stop();
  worker.join();
  if (failure) std::rethrow_exception(failure);
}

int run(const conf::Settings& settings) {
  if (!fits_a_controller(settings)) return kBadConfiguration;
  const auto cache = cache_options(settings);
  if (!cache) return kBadConfiguration;
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  common::Metrics metrics;
  // One migration at a time: open_store takes a lock in the database for it.
  schema::open_store(settings.store, true);
  schema::LeaderLock lock(settings.store, kLeaderKey);
  schema::RedisPublisher publisher(*cache);
  schema::RedisHits hits(*cache);
  controller::Controller leader(
      {}, [&] { return schema::open_store(settings.store, false); }, lock, publisher, hits,
      metrics);
  std::optional<common::HttpServer> http;
  if (!settings.controller.metrics_listen.empty()) {
    http.emplace(common::HttpServer::Options{.listen = settings.controller.metrics_listen});
    serve(*http, leader, metrics);
  }
  common::log_event(common::LogLevel::kInfo, "started", {{"version", IPMIT_VERSION}});
  run_until_signalled(leader, signals);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = conf::read_command_line(
      argc, argv,
      {"ipmit-controller", "Keeps the cache (Redis) equal to the record (PostgreSQL).", ""});
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  const auto& settings = std::get<conf::Settings>(parsed);
  common::start_log("ipmit-controller", settings.log.level);
  try {
    return run(settings);
  } catch (const std::exception& error) {
    common::log_event(common::LogLevel::kError, "failed", {{"reason", error.what()}});
    return kFailed;
  }
}
