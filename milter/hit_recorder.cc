// SPDX-License-Identifier: Apache-2.0
#include "milter/hit_recorder.h"

#include <algorithm>
#include <exception>

#include "common/log.h"

namespace ipmit::milter {

HitRecorder::HitRecorder(Sink sink, common::Duration every)
    : sink_(std::move(sink)), every_(every) {
  if (sink_) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
}

HitRecorder::~HitRecorder() = default;

void HitRecorder::add(std::string_view mitigation, common::TimePoint now) {
  if (!sink_) return;
  const std::lock_guard lock(mutex_);
  auto found = sums_.find(mitigation);
  if (found == sums_.end()) {
    if (sums_.size() >= kMostNames) return;
    found = sums_.emplace(mitigation, Sum{}).first;
  }
  ++found->second.count;
  found->second.last = std::max(found->second.last, now);
}

void HitRecorder::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, every_, [] { return false; });
    }
    hand_over();
  }
}

void HitRecorder::hand_over() {
  std::map<std::string, Sum, std::less<>> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(sums_);
  }
  if (taken.empty()) return;
  std::vector<schema::Store::Hit> hits;
  hits.reserve(taken.size());
  for (const auto& [name, sum] : taken) hits.push_back({name, sum.count, sum.last});
  try {
    sink_(hits);
    failing_ = false;
  } catch (const std::exception& error) {
    if (!failing_) {
      common::log_event(common::LogLevel::kWarn, "hits_not_stored", {{"reason", error.what()}});
    }
    failing_ = true;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, sum] : taken) {
      Sum& kept = sums_[name];
      kept.count += sum.count;
      kept.last = std::max(kept.last, sum.last);
    }
  }
}

}  // namespace ipmit::milter
