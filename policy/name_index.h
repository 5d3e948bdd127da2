// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "policy/big_vector.h"
#include "policy/text_arena.h"

namespace ipmit::policy {

// Exact names in an open-addressing hash table. A probe reads a fingerprint of two bytes a slot,
// one cache line; text is compared only where that agrees. Built once, then immutable.
class NameIndex {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  // Names of different kinds never equal one another.
  enum class Kind : std::uint8_t { kDomain, kSubdomains, kUser };

  static std::uint64_t hash(std::string_view text, Kind kind);

  NameIndex() = default;
  explicit NameIndex(std::size_t most_names);

  // Node of the name, a new one if there is none yet; nodes are numbered from 0.
  std::uint32_t insert(std::string_view text, Kind kind, TextArena& arena);

  std::size_t size() const { return nodes_.size(); }
  void prefetch(std::uint64_t hashed) const {
    __builtin_prefetch(fingerprints_.data() + (hashed & mask_));
    __builtin_prefetch(slots_.data() + (hashed & mask_));
  }
  std::uint32_t find(std::uint64_t hashed, std::string_view text, Kind kind,
                     const TextArena& arena) const;
  // A number kept with each name, and read with it.
  void set_mark(std::uint32_t node, std::uint32_t mark) { nodes_[node].mark = mark; }
  std::uint32_t mark(std::uint32_t node) const { return nodes_[node].mark; }
  Kind kind(std::uint32_t node) const { return nodes_[node].kind; }
  std::string_view text(std::uint32_t node, const TextArena& arena) const {
    return arena.view(nodes_[node].text, nodes_[node].length);
  }
  std::size_t memory_bytes() const;

 private:
  struct Node {
    std::uint32_t text;
    std::uint32_t mark;
    std::uint8_t length;  // domains and users have at most 255 bytes
    Kind kind;
  };
  static std::uint16_t fingerprint(std::uint64_t hashed) {
    return static_cast<std::uint16_t>(hashed >> 48 | 1);  // 0: free slot
  }
  // The slot of the name, or the free one where it would be.
  std::size_t slot(std::uint64_t hashed, std::string_view text, Kind kind,
                   const TextArena& arena) const;

  std::size_t mask_ = 0;
  BigVector<std::uint16_t> fingerprints_;
  BigVector<std::uint32_t> slots_;  // node of each
  BigVector<Node> nodes_;
};

}  // namespace ipmit::policy
