// SPDX-License-Identifier: Apache-2.0
#include "milter/service.h"

#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include <unistd.h>

#include "common/error.h"
#include "common/http_server.h"
#include "common/log.h"
#include "milter/fd_watch.h"
#include "milter/foreign_calls.h"
#include "milter/listener.h"
#include "milter/milter_glue.h"
#include "milter/pid_file.h"
#include "milter/self_probe.h"
#include "milter/session.h"
#include "milter/supervisor.h"

namespace ipmit::milter {
namespace {

using common::HttpRequest;
using common::HttpResponse;

constexpr common::Duration kCallbackPatience{1'000};  // to return, after the session's last answer

Listener::Options listener_options(const ServiceOptions& options) {
  common::Result<ListenAddress> address = common::parse_listen_address(options.listen);
  if (!address) throw common::PermanentError("socket: " + address.problem());
  return {std::move(address).value(), options.socket_mode, options.socket_group, options.backlog};
}

// Why no mail should be sent here, or nothing.
std::optional<std::string> unready_reason(const ServiceParts& parts, const Listener& listener,
                                          const Supervisor& supervisor) {
  if (supervisor.is_draining()) return "draining";
  if (listener.is_paused()) return "file descriptors are used up";
  if (parts.rule_state(common::now()) == RuleState::kNone &&
      parts.options.current()->fallback.no_rules == NoRules::kTempfail) {
    return "no rules loaded";
  }
  return std::nullopt;
}

void serve_http(common::HttpServer& server, const ServiceParts& parts, const Listener& listener,
                Supervisor& supervisor, const SelfProbe* probe) {
  auto libmilter_log = parts.metrics.gauge("ipmit_milter_libmilter_messages",
                                           "Messages that libmilter has logged so far.");
  server.handle("/metrics", [&parts, libmilter_log](const HttpRequest&) {
    if (parts.update_gauges) parts.update_gauges();
    libmilter_log.set(static_cast<double>(libmilter_messages()));
    return HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8", parts.metrics.to_text()};
  });
  server.handle("/livez", [probe](const HttpRequest&) {
    if (probe == nullptr || probe->is_alive()) return HttpResponse{200, "text/plain", "alive\n"};
    return HttpResponse{503, "text/plain", "no answer to the self probe\n"};
  });
  server.handle("/readyz", [&parts, &listener, &supervisor](const HttpRequest&) {
    const auto reason = unready_reason(parts, listener, supervisor);
    if (reason) return HttpResponse{503, "text/plain", *reason + "\n"};
    return HttpResponse{
        200, "text/plain",
        "ready, rules " + std::string(to_string(parts.rule_state(common::now()))) + "\n"};
  });
  server.handle("/drain", [&supervisor](const HttpRequest& request) {
    if (request.method != "POST") return HttpResponse{405, "text/plain", "POST only\n"};
    supervisor.request_drain();
    return HttpResponse{202, "text/plain", "draining\n"};
  });
}

}  // namespace

void run_service(const ServiceOptions& options, const ServiceParts& parts) {
  const unsigned limit = raise_descriptor_limit();
  const MilterMetrics metrics(parts.metrics);
  DecisionLog log;
  Listener listener(listener_options(options));
  FdWatch watch(listener, limit, options.fd_reserve, parts.metrics);
  Supervisor supervisor({.grace = options.drain_grace}, listener, watch, parts.reload,
                        parts.metrics);
  const SessionServices services{.rules = parts.rules,
                                 .options = parts.options,
                                 .limiter = parts.limiter,
                                 .metrics = metrics,
                                 .log = log,
                                 .hits = parts.hits,
                                 .rule_state = parts.rule_state,
                                 .probe_host = make_probe_host()};

  // The HTTP server's handlers use the probe, so it has to go first.
  std::optional<SelfProbe> probe;
  std::optional<common::HttpServer> http;
  if (!options.http_listen.empty()) http.emplace(common::HttpServer::Options{options.http_listen});

  listener.open();
  start_libmilter({.listen_fd = listener.fd(),
                   .backlog = options.backlog,
                   .idle_limit = options.idle_limit,
                   .on_accept = [&watch](int accepted) { watch.accepted(accepted); }},
                  services);
  if (!probe_once(listener.reachable_at(), services.probe_host, common::Duration{5'000})) {
    throw common::PermanentError("libmilter does not answer on the new socket");
  }
  listener.publish();
  std::optional<PidFile> pid_file(std::in_place, options.pid_file);

  if (options.probe_every.count() > 0) {
    probe.emplace(
        SelfProbe::Options{options.probe_every, options.probe_deadline, services.probe_host},
        [&]() -> std::optional<ListenAddress> {
          if (supervisor.is_draining() || listener.is_paused() ||
              listener.path_owner() != Listener::PathOwner::kOurs) {
            return std::nullopt;
          }
          return listener.reachable_at();
        },
        parts.metrics);
  }
  if (http) serve_http(*http, parts, listener, supervisor, probe ? &*probe : nullptr);
  common::log_event(common::LogLevel::kInfo, "serving",
                    {{"socket", options.listen},
                     {"metrics_port", http ? http->port() : 0},
                     {"descriptor_limit", limit},
                     {"library", libmilter_version()}});
  const std::size_t cut = supervisor.run();
  if (cut == 0 && end_callbacks(kCallbackPatience)) return;
  // libmilter's threads may be inside these sessions, and nothing can make them stop: no destructor
  // of what they use may run.
  pid_file.reset();
  std::fflush(nullptr);
  _exit(0);
}

}  // namespace ipmit::milter
