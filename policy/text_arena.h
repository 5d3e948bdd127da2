// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "policy/big_vector.h"

namespace ipmit::policy {

// Texts back to back in one block of memory, known by where they begin. Views are valid until the
// next add(). One thread at a time while it grows.
class TextArena {
 public:
  // std::length_error beyond 4 GiB: some ten million rules.
  std::uint32_t add(std::string_view text) {
    const std::size_t at = bytes_.size();
    if (at + text.size() > 0xffffffffu) throw std::length_error("more than 4 GiB of rule texts");
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return static_cast<std::uint32_t>(at);
  }
  std::string_view view(std::uint32_t at, std::size_t length) const {
    return {bytes_.data() + at, length};
  }
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  void shrink() { bytes_.shrink_to_fit(); }
  std::size_t memory_bytes() const { return bytes_.capacity(); }

 private:
  BigVector<char> bytes_;
};

}  // namespace ipmit::policy
