// SPDX-License-Identifier: Apache-2.0
#include "policy/name_index.h"

#include <bit>
#include <cstring>

#include "policy/sorted_keys.h"

namespace ipmit::policy {
namespace {

std::uint64_t load(const char* data, std::size_t size) {
  std::uint64_t word = 0;
  std::memcpy(&word, data, size);
  return word;
}

std::uint64_t fold(std::uint64_t state) {
  const UInt128 product = static_cast<UInt128>(state) * 0x9e3779b97f4a7c15u;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

// Eight bytes a step, each folded in by a multiplication of 64 by 64 bits.
std::uint64_t NameIndex::hash(std::string_view text, Kind kind) {
  const char* data = text.data();
  std::size_t left = text.size();
  std::uint64_t state = (left + 1) * 0xd6e8feb86659fd93u + static_cast<std::uint64_t>(kind);
  for (; left > 8; left -= 8, data += 8) state = fold(state ^ load(data, 8));
  return fold(fold(state ^ load(data, left)));
}

NameIndex::NameIndex(std::size_t most_names) {
  if (most_names == 0) return;
  const std::size_t slots = std::bit_ceil(most_names + most_names / 2 + 1);
  mask_ = slots - 1;
  fingerprints_.resize(slots);
  slots_.resize(slots);
  nodes_.reserve(most_names);
}

std::uint32_t NameIndex::insert(std::string_view text, Kind kind, TextArena& arena) {
  const std::uint64_t hashed = hash(text, kind);
  const std::size_t at = slot(hashed, text, kind, arena);
  if (fingerprints_[at] == 0) {
    fingerprints_[at] = fingerprint(hashed);
    slots_[at] = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({arena.add(text), 0, static_cast<std::uint8_t>(text.size()), kind});
  }
  return slots_[at];
}

std::uint32_t NameIndex::find(std::uint64_t hashed, std::string_view name, Kind kind,
                              const TextArena& arena) const {
  if (nodes_.empty()) return kNone;
  const std::size_t at = slot(hashed, name, kind, arena);
  return fingerprints_[at] == 0 ? kNone : slots_[at];
}

std::size_t NameIndex::slot(std::uint64_t hashed, std::string_view name, Kind wanted,
                            const TextArena& arena) const {
  const std::uint16_t* const fingerprints = fingerprints_.data();
  const std::uint16_t mine = fingerprint(hashed);
  for (std::size_t at = hashed & mask_;; at = (at + 1) & mask_) {
    if (fingerprints[at] == 0) return at;
    if (fingerprints[at] != mine) continue;
    const std::uint32_t node = slots_[at];
    if (nodes_[node].kind == wanted && text(node, arena) == name) return at;
  }
}

std::size_t NameIndex::memory_bytes() const {
  return fingerprints_.capacity() * sizeof(fingerprints_[0]) +
         slots_.capacity() * sizeof(slots_[0]) + nodes_.capacity() * sizeof(Node);
}

}  // namespace ipmit::policy
