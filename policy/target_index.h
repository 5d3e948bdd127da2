// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/mitigation.h"
#include "policy/name_index.h"
#include "policy/prefix_index.h"

namespace ipmit::policy {

// Finds the targets that a message hits, nearest first: the narrowest prefix and the wider ones,
// the SASL user, the sender domain, the patterns above it. Each target carries a number that its
// user gave it. Immutable once built; shared by readers.
class TargetIndex {
 public:
  class Builder;

  // A hit: an entry number, for id() and text().
  using Entry = std::uint32_t;
  std::uint32_t id(Entry entry) const { return entries_[entry].id; }
  std::string text(Entry entry, const TextArena& arena) const;  // as Target::to_string()

  // Calls visit(entry) for each hit until it returns false. `client` may be null; empty texts hit
  // nothing. Does not allocate.
  template <typename Visit>
  void find(const IpAddress* client, std::string_view user, std::string_view domain,
            const TextArena& arena, Visit visit) const {
    if (entries_.empty()) return;
    prefetch(client);
    Probes probes;
    prepare(user, domain, probes);
    if (client != nullptr) {
      const bool v4 = client->is_v4();
      const auto more = v4 ? visit_prefixes(v4_, client->v4_value(), 0, visit)
                           : visit_prefixes(v6_, v6_key(*client), v4_.size(), visit);
      if (!more) return;
    }
    for (std::size_t i = 0; i < probes.count; ++i) {
      const Probe& probe = probes.list[i];
      const std::uint32_t node =
          names_.find(probe.hash, {probe.data, probe.size}, probe.kind, arena);
      if (node != NameIndex::kNone && !visit_node(v4_.size() + v6_.size() + node, visit)) return;
    }
  }

  // What find() will read first for the client. May come earlier still.
  void prefetch(const IpAddress* client) const {
    if (client != nullptr && client->is_v4()) v4_.prefetch(client->v4_value());
  }

  std::size_t memory_bytes() const;

  static UInt128 v6_key(const IpAddress& address) {
    return static_cast<UInt128>(address.high()) << 64 | address.low();
  }

 private:
  struct ListedEntry {
    std::uint32_t id;
    std::uint32_t node;
  };
  struct Probe {
    std::uint64_t hash;
    const char* data;
    std::size_t size;
    NameIndex::Kind kind;
  };
  // A user, a domain and its at most 127 parents. Plain memory, filled up to `count`.
  struct Probes {
    std::size_t count = 0;
    std::array<Probe, 130> list;
  };

  // Computes all hashes first, so that the cache misses of all look-ups overlap.
  void prepare(std::string_view user, std::string_view domain, Probes& probes) const;

  template <typename Key, typename Visit>
  bool visit_prefixes(const PrefixIndex<Key>& prefixes, Key address, std::size_t first_node,
                      Visit& visit) const {
    if (prefixes.size() == 0) return true;
    for (std::uint32_t node = prefixes.narrowest(address); node != PrefixIndex<Key>::kNone;
         node = prefixes.wider(node))
      if (!visit_node(first_node + node, visit)) return false;
    return true;
  }
  template <typename Visit>
  bool visit_node(std::size_t node, Visit& visit) const {
    for (Entry entry = first_entry_[node]; entry < first_entry_[node + 1]; ++entry)
      if (!visit(entry)) return false;
    return true;
  }

  // Nodes are numbered through: IPv4 prefixes, IPv6 prefixes, names.
  PrefixIndex<std::uint32_t> v4_;
  PrefixIndex<UInt128> v6_;
  NameIndex names_;
  bool has_users_ = false;
  bool has_domains_ = false;
  std::uint64_t parent_depths_ = 0;       // bit n: some "*." pattern has n labels (63: or more)
  BigVector<std::uint32_t> first_entry_;  // of each node, and an end
  BigVector<ListedEntry> entries_;
};

// Collects targets, then makes the index. One thread.
class TargetIndex::Builder {
 public:
  void add(const Target& target, std::uint32_t id);
  // Names go to `arena`. Once, last.
  TargetIndex build(TextArena& arena);

 private:
  struct Name {
    std::string_view text;  // of the Target
    NameIndex::Kind kind;
    std::uint32_t id;
  };
  std::vector<PrefixIndex<std::uint32_t>::Item> v4_;
  std::vector<PrefixIndex<UInt128>::Item> v6_;
  std::vector<Name> names_;
};

}  // namespace ipmit::policy
