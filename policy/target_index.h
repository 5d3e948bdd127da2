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

  // A question: the client's address may be null, empty texts hit nothing. Hashes the names and
  // starts the reads of all of them, so that what the memory takes overlaps; ask early, find()
  // later. Plain memory, valid as long as its arguments.
  struct Question {
    Question(const TargetIndex& index, const IpAddress* address, std::string_view user,
             std::string_view domain)
        : client(address) {
      index.prepare(user, domain, *this);
    }
    struct Probe {
      std::uint64_t hash;
      const char* data;
      std::size_t size;
      NameIndex::Kind kind;
    };
    const IpAddress* client;
    std::size_t count = 0;
    std::array<Probe, 130> probes;  // a user, a domain and its at most 127 parents
  };

  // Calls visit(entry) for each hit until it returns false. Does not allocate.
  template <typename Visit>
  void find(const Question& question, const TextArena& arena, Visit visit) const {
    if (entries_.empty()) return;
    if (question.client != nullptr) {
      const IpAddress& client = *question.client;
      const Entry first =
          client.is_v4() ? narrowest(v4_, client.v4_value()) : narrowest(v6_, v6_key(client));
      if (!visit_chain(first, visit)) return;
    }
    for (std::size_t i = 0; i < question.count; ++i) {
      const Question::Probe& probe = question.probes[i];
      const std::uint32_t node =
          names_.find(probe.hash, {probe.data, probe.size}, probe.kind, arena);
      if (node != NameIndex::kNone && !visit_chain(names_.mark(node), visit)) return;
    }
  }

  std::size_t memory_bytes() const;

  static UInt128 v6_key(const IpAddress& address) {
    return static_cast<UInt128>(address.high()) << 64 | address.low();
  }

 private:
  void prepare(std::string_view user, std::string_view domain, Question& question) const;

  template <typename Key>
  static Entry narrowest(const PrefixIndex<Key>& prefixes, Key address) {
    return prefixes.empty() ? TargetEntry::kNone : prefixes.narrowest(address);
  }
  template <typename Visit>
  bool visit_chain(Entry entry, Visit& visit) const {
    for (; entry != TargetEntry::kNone; entry = entries_[entry].next)
      if (!visit(entry)) return false;
    return true;
  }

  PrefixIndex<std::uint32_t> v4_;
  PrefixIndex<UInt128> v6_;
  NameIndex names_;  // the mark of each is its first entry
  bool has_users_ = false;
  bool has_domains_ = false;
  std::uint64_t parent_depths_ = 0;  // bit n: some "*." pattern has n labels (63: or more)
  BigVector<TargetEntry> entries_;
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
