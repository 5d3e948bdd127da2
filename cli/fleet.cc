// SPDX-License-Identifier: Apache-2.0
#include "cli/fleet.h"

#include <cstdlib>
#include <optional>
#include <string_view>

#include "cli/line_client.h"
#include "schema/redis_url.h"

namespace ipmit::cli {
namespace {

constexpr Duration kPatience{2'000};

// The value of `ipmit_milter_…` in Prometheus text.
std::optional<double> find_metric(std::string_view page, std::string_view name) {
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ')
      return std::strtod(std::string(line.substr(name.size() + 1)).c_str(), nullptr);
    page.remove_prefix(std::min(page.size(), line.size() + 1));
  }
  return std::nullopt;
}

std::optional<schema::MilterSign> ask_milter(const std::string& endpoint) {
  const auto reply = http_request(endpoint, "GET", "/metrics", kPatience);
  if (!reply || reply->status != 200) return std::nullopt;
  const auto metric = [&](std::string_view name) { return find_metric(reply->body, name); };
  const auto natural = [&](std::string_view name) {
    return static_cast<std::uint64_t>(metric(name).value_or(0));
  };
  schema::MilterSign sign;
  sign.id = sign.host = endpoint;
  for (const char* state : {"none", "from-disk", "fresh", "stale"}) {
    const std::string name = "ipmit_milter_rules_state{state=\"" + std::string(state) + "\"}";
    if (metric(name).value_or(0) == 1) sign.state = state;
  }
  sign.revision = natural("ipmit_milter_rules_revision");
  sign.rules = natural("ipmit_milter_rules_loaded");
  sign.skipped = natural("ipmit_milter_rules_skipped");
  const auto age = metric("ipmit_snapshot_age_seconds");
  if (age && *age < 1e9)
    sign.confirmed = common::to_rfc3339(
        common::now() - std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*age)));
  return sign;
}

}  // namespace

std::string why_behind(const schema::MilterSign& milter, const Fleet& fleet,
                       std::uint64_t revision) {
  const std::string at = "revision " + std::to_string(milter.revision);
  if (milter.state == "none") return "has no rules";
  if (milter.state == "from-disk") return "has " + at + " from its disk, and no source";
  if (milter.state == "stale")
    return "has stale rules of " + at + ", confirmed last at " + milter.confirmed;
  if (!fleet.embedded && milter.epoch != fleet.cache.epoch)
    return "has " + at + " of another epoch";
  if (milter.revision >= revision) return "";
  return "has " + at + ", " + std::to_string(revision - milter.revision) + " behind";
}

common::Result<FleetView> FleetView::open(const conf::Settings& settings) {
  FleetView view;
  if (settings.cache.empty()) {
    if (settings.store.starts_with("postgresql:"))
      return common::Problem{"cache is not set, and milters of a fleet are known only there"};
    if (settings.milter.metrics_listen.empty())
      return common::Problem{"milter.metrics_listen is empty, so the milter cannot be asked"};
    view.endpoint_ = settings.milter.metrics_listen;
    return view;
  }
  const auto url = schema::parse_redis_url(settings.cache);
  if (!url) return common::Problem{"cache: " + url.problem()};
  schema::RedisOptions options;
  options.url = *url;
  options.client_name = "ipmitctl";
  options.password_file = settings.cache_password_file;
  view.redis_ = std::make_shared<schema::RedisConnection>(options);
  return view;
}

Fleet FleetView::look() const {
  Fleet fleet;
  fleet.embedded = redis_ == nullptr;
  if (fleet.embedded) {
    if (auto milter = ask_milter(endpoint_)) fleet.milters.push_back(*std::move(milter));
    return fleet;
  }
  fleet.milters = schema::live_milters(*redis_);
  fleet.controllers = schema::live_controllers(*redis_);
  fleet.cache = schema::cache_head(*redis_);
  return fleet;
}

}  // namespace ipmit::cli
