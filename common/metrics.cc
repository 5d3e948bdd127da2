// SPDX-License-Identifier: Apache-2.0
#include "common/metrics.h"

#include <map>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace ipmit::common {
namespace {

std::map<std::string, std::string> to_map(Metrics::Labels labels) {
  std::map<std::string, std::string> result;
  for (const auto& [key, value] : labels) result.emplace(key, value);
  return result;
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Metrics::Counter Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
  auto& family = prometheus::BuildCounter()
                     .Name(std::string(name))
                     .Help(std::string(help))
                     .Register(impl_->registry);
  return Counter(&family.Add(to_map(labels)));
}

Metrics::Gauge Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
  auto& family = prometheus::BuildGauge()
                     .Name(std::string(name))
                     .Help(std::string(help))
                     .Register(impl_->registry);
  return Gauge(&family.Add(to_map(labels)));
}

Metrics::Histogram Metrics::histogram(std::string_view name, std::string_view help,
                                      std::initializer_list<double> buckets, Labels labels) {
  auto& family = prometheus::BuildHistogram()
                     .Name(std::string(name))
                     .Help(std::string(help))
                     .Register(impl_->registry);
  return Histogram(&family.Add(to_map(labels), std::vector<double>(buckets)));
}

void Metrics::Counter::add(double amount) const {
  static_cast<prometheus::Counter*>(counter_)->Increment(amount);
}
double Metrics::Counter::value() const {
  return static_cast<prometheus::Counter*>(counter_)->Value();
}
void Metrics::Gauge::set(double value) const {
  static_cast<prometheus::Gauge*>(gauge_)->Set(value);
}
void Metrics::Gauge::add(double amount) const {
  static_cast<prometheus::Gauge*>(gauge_)->Increment(amount);
}
double Metrics::Gauge::value() const {
  return static_cast<prometheus::Gauge*>(gauge_)->Value();
}
void Metrics::Histogram::observe(double value) const {
  static_cast<prometheus::Histogram*>(histogram_)->Observe(value);
}

std::string Metrics::to_text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace ipmit::common
