// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/ip_address.h"
#include "policy/sorted_keys.h"

namespace ipmit::policy {

// One target of one rule, in the list of all: what a look-up reads between finding the target and
// reading the rule. Entries form chains: those of the same target, then those of the next wider
// one.
struct TargetEntry {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  enum class Kind : std::uint8_t { kV4, kV6, kName };

  std::uint32_t id;     // the number its user gave it
  std::uint32_t next;   // entry, or kNone
  std::uint32_t at;     // where its text comes from: the range it begins with, or the name
  std::uint8_t length;  // of a prefix
  Kind kind;
};
static_assert(sizeof(TargetEntry) == 16);

// Which prefixes of one address family hold an address: the narrowest, and from each the next wider
// one. The prefixes are cut into the ranges between their ends, each of which knows the first entry
// of its narrowest prefix; finding it is one search in a sorted array. Immutable once built.
// Key: std::uint32_t for IPv4, UInt128 for IPv6.
template <typename Key>
class PrefixIndex {
 public:
  static constexpr std::uint32_t kNone = TargetEntry::kNone;
  struct Item {
    Key start;
    std::uint8_t length;
    std::uint32_t id;
  };

  PrefixIndex() = default;
  // Appends the entries of `items`, which it sorts, to `entries`.
  PrefixIndex(std::vector<Item>& items, BigVector<TargetEntry>& entries);

  bool empty() const { return starts_.size() == 0; }
  // Call early: what narrowest() reads first is then on its way.
  void prefetch(Key address) const {
    if (!blocks_.empty()) __builtin_prefetch(blocks_.data() + block_of(address) / 64);
  }
  // The first entry of the narrowest prefix that holds `address`.
  std::uint32_t narrowest(Key address) const {
    if (!blocks_.empty()) {
      const std::uint64_t block = block_of(address);
      if ((blocks_[block / 64] >> block % 64 & 1) == 0) return kNone;
    }
    const std::size_t range = starts_.count_up_to(
        address, [&](std::size_t first) { __builtin_prefetch(narrowest_.data() + first); });
    return range == 0 ? kNone : narrowest_[range - 1];
  }
  Key start(const TargetEntry& entry) const { return starts_[entry.at]; }
  std::size_t memory_bytes() const {
    return starts_.memory_bytes() + narrowest_.capacity() * sizeof(narrowest_[0]) +
           blocks_.capacity() * sizeof(blocks_[0]);
  }

 private:
  static constexpr auto kKind = sizeof(Key) == 4 ? TargetEntry::Kind::kV4 : TargetEntry::Kind::kV6;
  struct Sweep;

  // Above this many prefixes a map of the blocks of 2^24 that hold any (for IPv4 each /24) tells
  // most other addresses in one read. IPv6 addresses have no such blocks: they are too few in use.
  static constexpr std::size_t kMapFrom = sizeof(Key) == 4 ? 20'000 : ~std::size_t{0};
  static std::uint64_t block_of(Key address) {
    return static_cast<std::uint64_t>(address >> (sizeof(Key) * 8 - 24));
  }
  void mark_blocks(Key first, Key last) {
    for (std::uint64_t block = block_of(first); block <= block_of(last); ++block)
      blocks_[block / 64] |= std::uint64_t{1} << block % 64;
  }

  SortedKeys<Key> starts_;              // of the ranges
  BigVector<std::uint32_t> narrowest_;  // entry of each range, or kNone
  BigVector<std::uint64_t> blocks_;     // a bit for each; empty: no map
};

// Goes over the prefixes in the order of their first addresses, wider ones first, and keeps the
// open ones on a stack: each is nested in the one below.
template <typename Key>
struct PrefixIndex<Key>::Sweep {
  struct Open {
    std::uint32_t entry;  // its first
    Key last;
  };
  PrefixIndex& index;
  BigVector<TargetEntry>& entries;
  std::vector<Key> starts;
  std::vector<Open> open;

  std::uint32_t top() const { return open.empty() ? kNone : open.back().entry; }

  void begin_range(Key start, std::uint32_t entry) {
    if (!starts.empty() && starts.back() == start) {
      index.narrowest_.back() = entry;
    } else {
      starts.push_back(start);
      index.narrowest_.push_back(entry);
    }
  }
  void close_before(Key start) {
    while (!open.empty() && open.back().last < start) close();
  }
  void close() {
    const Key last = open.back().last;
    open.pop_back();
    if (last != static_cast<Key>(~Key{0})) begin_range(static_cast<Key>(last + 1), top());
  }
  void add(const Item& item) {
    close_before(item.start);
    const auto entry = static_cast<std::uint32_t>(entries.size());
    const std::uint32_t wider = top();
    const Key span = item.length == 0
                         ? static_cast<Key>(~Key{0})
                         : static_cast<Key>((Key{1} << (sizeof(Key) * 8 - item.length)) - 1);
    const auto last = static_cast<Key>(item.start | span);
    begin_range(item.start, entry);
    if (wider == kNone && !index.blocks_.empty()) index.mark_blocks(item.start, last);
    open.push_back({entry, last});
    entries.push_back({.id = item.id,
                       .next = wider,
                       .at = static_cast<std::uint32_t>(starts.size() - 1),
                       .length = item.length,
                       .kind = kKind});
  }
  // Another rule for the prefix that came last.
  void add_twin(std::uint32_t id) {
    TargetEntry twin = entries.back();
    twin.id = id;
    entries.back().next = static_cast<std::uint32_t>(entries.size());
    entries.push_back(twin);
  }
};

template <typename Key>
PrefixIndex<Key>::PrefixIndex(std::vector<Item>& items, BigVector<TargetEntry>& entries) {
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    if (a.start != b.start) return a.start < b.start;
    return a.length != b.length ? a.length < b.length : a.id < b.id;
  });
  Sweep sweep{*this, entries, {}, {}};
  if (items.size() >= kMapFrom) blocks_.resize((std::size_t{1} << 24) / 64);
  sweep.starts.reserve(items.size() * 2);
  narrowest_.reserve(items.size() * 2);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    const bool twin =
        i > 0 && items[i - 1].start == item.start && items[i - 1].length == item.length;
    if (twin) {
      sweep.add_twin(item.id);
    } else {
      sweep.add(item);
    }
  }
  while (!sweep.open.empty()) sweep.close();
  starts_ = SortedKeys<Key>(sweep.starts);
  narrowest_.shrink_to_fit();
}

}  // namespace ipmit::policy
