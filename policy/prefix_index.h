// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/ip_address.h"
#include "policy/sorted_keys.h"

namespace ipmit::policy {

// Which prefixes of one address family hold an address: the narrowest, and from each the next wider
// one. The prefixes are cut into the ranges between their ends, each of which knows its narrowest
// prefix; finding it is one search in a sorted array. Immutable once built.
// Key: std::uint32_t for IPv4, UInt128 for IPv6.
template <typename Key>
class PrefixIndex {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Item {
    Key start;
    std::uint8_t length;
    std::uint32_t id;
  };

  PrefixIndex() = default;
  // Calls take(node, id) for each item, node after node; nodes are numbered from 0. Sorts `items`.
  template <typename Take>
  PrefixIndex(std::vector<Item>& items, Take take);

  std::size_t size() const { return nodes_.size(); }
  // Call early: what narrowest() reads first is then on its way.
  void prefetch(Key address) const {
    if (!blocks_.empty()) __builtin_prefetch(blocks_.data() + block_of(address) / 64);
  }
  std::uint32_t narrowest(Key address) const {
    if (!blocks_.empty()) {
      const std::uint64_t block = block_of(address);
      if ((blocks_[block / 64] >> block % 64 & 1) == 0) return kNone;
    }
    const std::size_t range = starts_.count_up_to(
        address, [&](std::size_t first) { __builtin_prefetch(narrowest_.data() + first); });
    return range == 0 ? kNone : narrowest_[range - 1];
  }
  std::uint32_t wider(std::uint32_t node) const { return nodes_[node].wider; }
  Key start(std::uint32_t node) const { return starts_[nodes_[node].range]; }
  int length(std::uint32_t node) const { return nodes_[node].length; }
  std::size_t memory_bytes() const;

 private:
  struct Node {
    std::uint32_t wider;
    std::uint32_t range;  // that it begins with
    std::uint8_t length;
  };
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
  BigVector<std::uint32_t> narrowest_;  // node of each range, or kNone
  BigVector<Node> nodes_;
  BigVector<std::uint64_t> blocks_;  // a bit for each; empty: no map
};

// Goes over the prefixes in the order of their first addresses, wider ones first, and keeps the
// open ones on a stack: each is nested in the one below.
template <typename Key>
struct PrefixIndex<Key>::Sweep {
  struct Open {
    std::uint32_t node;
    Key last;
  };
  PrefixIndex& index;
  std::vector<Key> starts;
  std::vector<Open> open;

  std::uint32_t top() const { return open.empty() ? kNone : open.back().node; }

  void begin_range(Key start, std::uint32_t node) {
    if (!starts.empty() && starts.back() == start) {
      index.narrowest_.back() = node;
    } else {
      starts.push_back(start);
      index.narrowest_.push_back(node);
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
  std::uint32_t add(Key start, int length) {
    close_before(start);
    const auto node = static_cast<std::uint32_t>(index.nodes_.size());
    const std::uint32_t wider = top();
    const Key span =
        length == 0
            ? static_cast<Key>(~Key{0})
            : static_cast<Key>((Key{1} << (sizeof(Key) * 8 - static_cast<unsigned>(length))) - 1);
    const auto last = static_cast<Key>(start | span);
    begin_range(start, node);
    if (wider == kNone && !index.blocks_.empty()) index.mark_blocks(start, last);
    open.push_back({node, last});
    index.nodes_.push_back(
        {wider, static_cast<std::uint32_t>(starts.size() - 1), static_cast<std::uint8_t>(length)});
    return node;
  }
};

template <typename Key>
template <typename Take>
PrefixIndex<Key>::PrefixIndex(std::vector<Item>& items, Take take) {
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    if (a.start != b.start) return a.start < b.start;
    return a.length != b.length ? a.length < b.length : a.id < b.id;
  });
  Sweep sweep{*this, {}, {}};
  if (items.size() >= kMapFrom) blocks_.resize((std::size_t{1} << 24) / 64);
  nodes_.reserve(items.size());
  sweep.starts.reserve(items.size() * 2);
  narrowest_.reserve(items.size() * 2);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    const bool same =
        i > 0 && items[i - 1].start == item.start && items[i - 1].length == item.length;
    const std::uint32_t node =
        same ? static_cast<std::uint32_t>(nodes_.size() - 1) : sweep.add(item.start, item.length);
    take(node, item.id);
  }
  while (!sweep.open.empty()) sweep.close();
  starts_ = SortedKeys<Key>(sweep.starts);
  narrowest_.shrink_to_fit();
  nodes_.shrink_to_fit();
}

template <typename Key>
std::size_t PrefixIndex<Key>::memory_bytes() const {
  return starts_.memory_bytes() + narrowest_.capacity() * sizeof(narrowest_[0]) +
         nodes_.capacity() * sizeof(Node) + blocks_.capacity() * sizeof(blocks_[0]);
}

}  // namespace ipmit::policy
