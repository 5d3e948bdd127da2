// SPDX-License-Identifier: Apache-2.0
#include "milter/limiter.h"

#include <algorithm>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/rate_limit.h"

namespace ipmit::milter {
namespace {

constexpr std::size_t kShards = 64;  // one bit each in Locks

using policy::RateLimit;

struct BudgetView {
  std::string_view key;
  const RateLimit& limit;
};
struct Budget {
  std::string key;
  RateLimit limit;
};

struct BudgetHash {
  using is_transparent = void;
  std::size_t operator()(const BudgetView& budget) const {
    std::size_t hash = std::hash<std::string_view>{}(budget.key);
    for (const std::uint64_t part :
         {std::uint64_t{budget.limit.limit}, std::uint64_t{budget.limit.burst},
          static_cast<std::uint64_t>(budget.limit.period.count()),
          static_cast<std::uint64_t>(budget.limit.unit)})
      hash = (hash ^ part) * 0x9e3779b97f4a7c15U;
    return hash;
  }
  std::size_t operator()(const Budget& budget) const {
    return operator()(BudgetView{budget.key, budget.limit});
  }
};
struct BudgetEqual {
  using is_transparent = void;
  static BudgetView view(const Budget& budget) { return {budget.key, budget.limit}; }
  static BudgetView view(const BudgetView& budget) { return budget; }
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    return view(a).key == view(b).key && view(a).limit == view(b).limit;
  }
};

std::int64_t microseconds(TimePoint time) {
  return std::chrono::microseconds(time.time_since_epoch()).count();
}

// The part of `limit` that one of `share` limiters may give: the rate is divided exactly, the burst
// rounded up, and never below the `units` of a message that the whole burst would let pass.
RateLimit shared(const RateLimit& limit, std::uint32_t share, std::uint32_t units) {
  if (share == 1) return limit;
  RateLimit part = limit;
  part.period = limit.period * share;
  part.burst = std::max((limit.burst - 1) / share + 1, std::min(units, limit.burst));
  return part;
}

}  // namespace

struct LocalLimiter::Shard {
  std::mutex mutex;
  std::unordered_map<Budget, std::int64_t, BudgetHash, BudgetEqual> tats_us;
  std::uint64_t evicted = 0;

  // Makes room for `more` budgets. Only before any of this shard's budgets is pointed to.
  void make_room(std::size_t more, std::size_t most, std::int64_t now_us) {
    if (tats_us.size() + more <= most) return;
    std::erase_if(tats_us, [&](const auto& entry) { return entry.second <= now_us; });
    if (tats_us.size() + more <= most || tats_us.empty()) return;
    std::vector<std::int64_t> tats;
    tats.reserve(tats_us.size());
    for (const auto& entry : tats_us) tats.push_back(entry.second);
    const auto eighth = tats.begin() + static_cast<std::ptrdiff_t>(tats.size() / 8);
    std::nth_element(tats.begin(), eighth, tats.end());
    const std::int64_t least = *eighth;
    evicted += std::erase_if(tats_us, [&](const auto& entry) { return entry.second <= least; });
  }
};

// Locks the shards of all charges, always in the same order.
class LocalLimiter::Locks {
 public:
  Locks(const LocalLimiter& limiter, std::span<const policy::Charge> charges)
      : shards_(limiter.shards_.get()) {
    for (const policy::Charge& charge : charges)
      mask_ |=
          std::uint64_t{1} << limiter.shard_of(BudgetHash{}(BudgetView{charge.key, charge.limit}));
    each([](Shard& shard) { shard.mutex.lock(); });
  }
  ~Locks() {
    each([](Shard& shard) { shard.mutex.unlock(); });
  }
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;

  template <typename Function>
  void each(Function function) const {
    for (std::size_t i = 0; i < kShards; ++i)
      if ((mask_ >> i & 1) != 0) function(shards_[i]);
  }

 private:
  Shard* shards_;
  std::uint64_t mask_ = 0;
};

LocalLimiter::LocalLimiter(std::size_t most_keys)
    : most_per_shard_(std::max<std::size_t>(most_keys / kShards, 16)),
      shards_(std::make_unique<Shard[]>(kShards)) {}

LocalLimiter::~LocalLimiter() = default;

std::size_t LocalLimiter::shard_of(std::size_t hash) const {
  return hash >> 58;
}

Limiter::Result LocalLimiter::charge(std::span<const policy::Charge> charges, TimePoint now) {
  const std::int64_t now_us = microseconds(now);
  const std::uint32_t share = share_;
  struct Taken {
    std::int64_t* tat_us;
    std::int64_t before_us;
  };
  thread_local std::vector<Taken> taken;  // keeps its memory from call to call
  taken.clear();

  const Locks locks(*this, charges);
  locks.each([&](Shard& shard) { shard.make_room(charges.size(), most_per_shard_, now_us); });
  for (std::size_t i = 0; i < charges.size(); ++i) {
    const policy::Charge& charge = charges[i];
    const BudgetView view{charge.key, charge.limit};
    // cppcheck-suppress iterators3
    auto& tats_us = shards_[shard_of(BudgetHash{}(view))].tats_us;
    auto found = tats_us.find(view);
    if (found == tats_us.end())
      found = tats_us.emplace(Budget{charge.key, charge.limit}, now_us).first;
    std::int64_t& tat_us = found->second;
    const auto outcome =
        policy::gcra(shared(charge.limit, share, charge.units), tat_us, now_us, charge.units);
    if (!outcome.conforms) {
      for (auto undo = taken.rbegin(); undo != taken.rend(); ++undo)
        *undo->tat_us = undo->before_us;
      if (outcome.retry_after_us == policy::kNever) return {i, std::nullopt};
      const std::chrono::microseconds wait(outcome.retry_after_us);
      return {i, std::chrono::ceil<Duration>(wait)};
    }
    taken.push_back({&tat_us, tat_us});
    tat_us = outcome.new_tat_us;
  }
  return {};
}

void LocalLimiter::refund(std::span<const policy::Charge> charges, TimePoint now) {
  const std::int64_t now_us = microseconds(now);
  const std::uint32_t share = share_;
  const Locks locks(*this, charges);
  for (const policy::Charge& charge : charges) {
    const BudgetView view{charge.key, charge.limit};
    // cppcheck-suppress iterators3
    auto& tats_us = shards_[shard_of(BudgetHash{}(view))].tats_us;
    const auto found = tats_us.find(view);
    if (found == tats_us.end()) continue;  // forgotten: full already
    found->second = policy::gcra_refund(shared(charge.limit, share, charge.units), found->second,
                                        now_us, charge.units);
  }
}

void LocalLimiter::set_share(std::uint32_t limiters) {
  share_ = std::max<std::uint32_t>(limiters, 1);
}

std::size_t LocalLimiter::size() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    sum += shards_[i].tats_us.size();
  }
  return sum;
}

std::uint64_t LocalLimiter::evicted() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    sum += shards_[i].evicted;
  }
  return sum;
}

}  // namespace ipmit::milter
