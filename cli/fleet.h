// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/context.h"
#include "schema/redis_signs.h"

namespace ipmit::cli {

// Who enforces what, as `status` shows it and --wait waits for it. In a cluster the milters and
// controllers say so in Redis; on one host there is one milter, asked at milter.metrics_listen.
struct Fleet {
  bool embedded = false;
  schema::CacheHead cache;  // cluster only
  std::vector<schema::MilterSign> milters;
  std::vector<schema::ControllerSign> controllers;  // cluster only
};

// Why this milter does not enforce `revision` of the store, or not any more; empty: it does.
std::string why_behind(const schema::MilterSign& milter, const Fleet& fleet,
                       std::uint64_t revision);

// Looks at the fleet again and again over one connection. One thread.
class FleetView {
 public:
  // Problem: the settings name nobody to ask. Does not connect.
  static common::Result<FleetView> open(const conf::Settings& settings);

  // Blocks for the deadlines of the connection; throws its errors. A host without a running milter
  // is a fleet of none.
  Fleet look() const;

 private:
  FleetView() = default;

  std::string endpoint_;                            // of the one milter, or
  std::shared_ptr<schema::RedisConnection> redis_;  // of the fleet
};

}  // namespace ipmit::cli
