// SPDX-License-Identifier: Apache-2.0
#include "common/metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "common/thread_slot.h"

namespace ipmit::common {
namespace {

using Cell = std::atomic<double>;

constexpr std::size_t kRowCells = 64;

// A row of cells for each thread. A handle points to the cell in the first row; those of the other
// threads are whole rows further.
struct alignas(kCacheLineBytes) Cells {
  std::array<std::array<Cell, kRowCells>, kThreadSlots> rows{};
  std::size_t used = 0;
};

void add_to(Cell* cell, double amount) {
  const std::size_t slot = thread_slot();
  Cell& own = cell[slot * kRowCells];
  if (slot == kSharedSlot) {
    own.fetch_add(amount, std::memory_order_relaxed);
  } else {  // nobody else writes here
    own.store(own.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
}

double sum_of(const Cell* cell) {
  double sum = 0;
  for (std::size_t slot = 0; slot < kThreadSlots; ++slot)
    sum += cell[slot * kRowCells].load(std::memory_order_relaxed);
  return sum;
}

std::map<std::string, std::string> to_map(Metrics::Labels labels) {
  std::map<std::string, std::string> result;
  for (const auto& [key, value] : labels) result.emplace(key, value);
  return result;
}

}  // namespace

// A cell a bucket, one for what is above the last bound, and the sum.
struct Metrics::HistogramCells {
  std::vector<double> bounds;
  Cell* buckets;
  Cell* sum() const { return buckets + bounds.size() + 1; }
};

struct Metrics::Impl {
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  std::mutex mutex;  // of all below
  std::vector<std::unique_ptr<Cells>> cells;
  std::map<prometheus::Counter*, Cell*> counters;
  std::map<prometheus::Gauge*, Cell*> levels;
  struct Reported {
    std::unique_ptr<HistogramCells> cells;
    std::vector<double> buckets;  // what the registry knows of
    double sum = 0;
  };
  std::map<prometheus::Histogram*, Reported> histograms;

  // `count` cells one after the other in each row; at most kRowCells.
  Cell* take(std::size_t count) {
    if (cells.empty() || cells.back()->used + count > kRowCells)
      cells.push_back(std::make_unique<Cells>());
    Cells& last = *cells.back();
    Cell* first = &last.rows[0][last.used];
    last.used += count;
    return first;
  }
  template <typename Metric>
  Cell* cell_of(std::map<Metric*, Cell*>& known, Metric& metric) {
    const std::lock_guard lock(mutex);
    Cell*& cell = known[&metric];
    if (cell == nullptr) cell = take(1);
    return cell;
  }
  void report();
};

// Brings the registry up to the cells.
void Metrics::Impl::report() {
  const std::lock_guard lock(mutex);
  for (const auto& [counter, cell] : counters) counter->Increment(sum_of(cell) - counter->Value());
  for (const auto& [gauge, cell] : levels) gauge->Set(sum_of(cell));
  for (auto& [histogram, reported] : histograms) {
    std::vector<double> more(reported.buckets.size());
    for (std::size_t i = 0; i < more.size(); ++i) {
      const double now = sum_of(reported.cells->buckets + i);
      more[i] = now - std::exchange(reported.buckets[i], now);
    }
    const double sum = sum_of(reported.cells->sum());
    histogram->ObserveMultiple(more, sum - std::exchange(reported.sum, sum));
  }
}

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Metrics::Counter Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
  auto& family = prometheus::BuildCounter()
                     .Name(std::string(name))
                     .Help(std::string(help))
                     .Register(impl_->registry);
  return Counter(impl_->cell_of(impl_->counters, family.Add(to_map(labels))));
}

Metrics::Gauge Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
  auto& family = prometheus::BuildGauge()
                     .Name(std::string(name))
                     .Help(std::string(help))
                     .Register(impl_->registry);
  return Gauge(&family.Add(to_map(labels)));
}

Metrics::Level Metrics::level(std::string_view name, std::string_view help, Labels labels) {
  auto& gauge = *static_cast<prometheus::Gauge*>(this->gauge(name, help, labels).gauge_);
  return Level(impl_->cell_of(impl_->levels, gauge));
}

Metrics::Histogram Metrics::histogram(std::string_view name, std::string_view help,
                                      std::initializer_list<double> buckets, Labels labels) {
  if (buckets.size() + 2 > kRowCells) {
    throw std::length_error(std::string(name) + ": too many buckets for one histogram");
  }
  auto& family = prometheus::BuildHistogram()
                     .Name(std::string(name))
                     .Help(std::string(help))
                     .Register(impl_->registry);
  auto& histogram = family.Add(to_map(labels), std::vector<double>(buckets));
  const std::lock_guard lock(impl_->mutex);
  Impl::Reported& reported = impl_->histograms[&histogram];
  if (!reported.cells) {
    reported.buckets.resize(buckets.size() + 1);
    reported.cells = std::make_unique<HistogramCells>(
        HistogramCells{buckets, impl_->take(reported.buckets.size() + 1)});
  }
  return Histogram(reported.cells.get());
}

void Metrics::Counter::add(double amount) const {
  add_to(cell_, amount);
}
double Metrics::Counter::value() const {
  return sum_of(cell_);
}
void Metrics::Level::add(double amount) const {
  add_to(cell_, amount);
}
double Metrics::Level::value() const {
  return sum_of(cell_);
}
void Metrics::Gauge::set(double value) const {
  static_cast<prometheus::Gauge*>(gauge_)->Set(value);
}
double Metrics::Gauge::value() const {
  return static_cast<prometheus::Gauge*>(gauge_)->Value();
}
void Metrics::Histogram::observe(double value) const {
  const auto& bounds = cells_->bounds;
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin();
  add_to(cells_->buckets + bucket, 1);
  add_to(cells_->sum(), value);
}

std::string Metrics::to_text() const {
  impl_->report();
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace ipmit::common
