// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace ipmit::common {

// Counters, gauges and histograms of one program, named
// ipmit_<program>_<noun>_total|_seconds|_bytes. Label values come from closed enums only, never
// from clients. Thread-safe; the handles returned stay valid as long as the registry. Counters,
// levels and histograms cost one or two atomic operations in memory of the calling thread, so keep
// the handles, do not look them up on the mail path. to_text() and value() add the threads up: a
// number that changes meanwhile is read once, at some moment of the call.
class Metrics {
  using Cell = std::atomic<double>;
  struct HistogramCells;

 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  class Counter {
   public:
    void add(double amount = 1) const;  // at least 0
    double value() const;

   private:
    friend class Metrics;
    explicit Counter(Cell* cell) : cell_(cell) {}
    Cell* cell_;
  };
  // A gauge that goes up and down by steps, from any thread: how many there are of something.
  class Level {
   public:
    void add(double amount) const;
    double value() const;

   private:
    friend class Metrics;
    explicit Level(Cell* cell) : cell_(cell) {}
    Cell* cell_;
  };
  // A gauge that is set.
  class Gauge {
   public:
    void set(double value) const;
    double value() const;

   private:
    friend class Metrics;
    explicit Gauge(void* gauge) : gauge_(gauge) {}
    void* gauge_;
  };
  class Histogram {
   public:
    void observe(double value) const;

   private:
    friend class Metrics;
    explicit Histogram(const HistogramCells* cells) : cells_(cells) {}
    const HistogramCells* cells_;
  };

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The same name and labels give the same metric; a name keeps its first help text.
  Counter counter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge gauge(std::string_view name, std::string_view help, Labels labels = {});
  Level level(std::string_view name, std::string_view help, Labels labels = {});
  // `buckets`: upper bounds, rising; the first call for a name and labels decides.
  // std::length_error: more than 62 of them.
  Histogram histogram(std::string_view name, std::string_view help,
                      std::initializer_list<double> buckets, Labels labels = {});

  std::string to_text() const;  // Prometheus text format 0.0.4

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ipmit::common
