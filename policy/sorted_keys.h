// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "policy/big_vector.h"

namespace ipmit::policy {

__extension__ using UInt128 = unsigned __int128;

// A sorted array of numbers, searched block by block: above the array lies a short array with the
// first key of each block, above that one again, so that a search reads one block a level, most of
// which stay in the cache, whatever the numbers are. Immutable once built.
template <typename Key>
class SortedKeys {
 public:
  SortedKeys() = default;
  explicit SortedKeys(const std::vector<Key>& keys) : size_(keys.size()) {
    if (keys.empty()) return;
    levels_.push_back(to_blocks(keys));
    while (levels_.back().size() > 1) {
      std::vector<Key> firsts;
      firsts.reserve(levels_.back().size());
      for (const Block& block : levels_.back()) firsts.push_back(block.keys[0]);
      levels_.push_back(to_blocks(firsts));
    }
    std::reverse(levels_.begin(), levels_.end());
  }

  std::size_t size() const { return size_; }
  Key operator[](std::size_t i) const { return levels_.back()[i / kBlock].keys[i % kBlock]; }

  // How many keys are at most `key`. `prefetch` is called with the index of a block's first key
  // before that last block is read.
  template <typename Prefetch>
  std::size_t count_up_to(Key key, Prefetch prefetch) const {
    std::size_t block = 0;
    const std::size_t last = levels_.size() - 1;
    if (size_ == 0 || key < levels_.front()[0].keys[0]) return 0;
    for (std::size_t level = 0; level < last; ++level) {
      block = block * kBlock + levels_[level].data()[block].count(key) - 1;
      block = std::min(block, levels_[level + 1].size() - 1);  // beyond the padding
    }
    prefetch(block * kBlock);
    return std::min(block * kBlock + levels_[last].data()[block].count(key), size_);
  }

  std::size_t memory_bytes() const {
    std::size_t bytes = 0;
    for (const auto& level : levels_) bytes += level.capacity() * sizeof(Block);
    return bytes;
  }

 private:
  // One or two cache lines.
  static constexpr std::size_t kBlock = sizeof(Key) > 8 ? 8 : 16;
  struct alignas(64) Block {
    Key keys[kBlock];

    // Without branches, and in a form that compilers turn into vector instructions.
    std::size_t count(Key key) const {
      std::uint32_t below = 0;
      for (std::size_t i = 0; i < kBlock; ++i) below += keys[i] <= key ? 1u : 0u;
      return below;
    }
  };

  // The last block is padded with the highest number there is.
  static BigVector<Block> to_blocks(const std::vector<Key>& keys) {
    BigVector<Block> blocks((keys.size() + kBlock - 1) / kBlock);
    for (std::size_t i = 0; i < blocks.size() * kBlock; ++i)
      blocks[i / kBlock].keys[i % kBlock] = i < keys.size() ? keys[i] : static_cast<Key>(~Key{0});
    return blocks;
  }

  std::size_t size_ = 0;
  std::vector<BigVector<Block>> levels_;  // from the top down
};

}  // namespace ipmit::policy
