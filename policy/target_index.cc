// SPDX-License-Identifier: Apache-2.0
#include "policy/target_index.h"

#include <algorithm>
#include <cstring>

namespace ipmit::policy {
namespace {

using Kind = NameIndex::Kind;

constexpr std::size_t kDeepest = 63;

IpAddress to_address(std::uint32_t key) {
  return IpAddress::from_v4({static_cast<std::uint8_t>(key >> 24),
                             static_cast<std::uint8_t>(key >> 16),
                             static_cast<std::uint8_t>(key >> 8), static_cast<std::uint8_t>(key)});
}

IpAddress to_address(UInt128 key) {
  std::array<std::uint8_t, 16> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(key >> (120 - 8 * i));
  return IpAddress::from_v6(bytes);
}

template <typename Key>
std::string prefix_text(const PrefixIndex<Key>& prefixes, std::size_t node) {
  const auto at = static_cast<std::uint32_t>(node);
  return IpPrefix::of(to_address(prefixes.start(at)), prefixes.length(at)).to_string();
}

// In labels.
std::size_t depth_of(std::string_view domain) {
  return 1 + static_cast<std::size_t>(std::count(domain.begin(), domain.end(), '.'));
}

}  // namespace

std::string TargetIndex::text(Entry entry, const TextArena& arena) const {
  std::size_t node = entries_[entry].node;
  if (node < v4_.size()) return prefix_text(v4_, node);
  node -= v4_.size();
  if (node < v6_.size()) return prefix_text(v6_, node);
  const auto name = static_cast<std::uint32_t>(node - v6_.size());
  std::string text = names_.kind(name) == Kind::kUser         ? "user:"
                     : names_.kind(name) == Kind::kSubdomains ? "domain:*."
                                                              : "domain:";
  return text.append(names_.text(name, arena));
}

void TargetIndex::prepare(std::string_view user, std::string_view domain, Probes& probes) const {
  if (names_.size() == 0) return;
  const auto add = [&](std::string_view name, Kind kind) {
    if (probes.count == probes.list.size()) return;  // no domain has so many labels
    const std::uint64_t hash = NameIndex::hash(name, kind);
    names_.prefetch(hash);
    probes.list[probes.count++] = {hash, name.data(), name.size(), kind};
  };
  if (has_users_ && !user.empty()) add(user, Kind::kUser);
  if (!has_domains_ || domain.empty() || domain.size() > 255) return;
  add(domain, Kind::kDomain);
  if (parent_depths_ == 0) return;
  const std::size_t first_parent = probes.count;
  const char* const begin = domain.data();
  const char* end = begin + domain.size();
  std::size_t depth = 1;
  while (const void* dot = memrchr(begin, '.', static_cast<std::size_t>(end - begin))) {
    end = static_cast<const char*>(dot);
    if ((parent_depths_ >> std::min(depth++, kDeepest) & 1) != 0)
      add(domain.substr(static_cast<std::size_t>(end - begin) + 1), Kind::kSubdomains);
  }
  // The nearest parent first.
  std::reverse(probes.list.data() + first_parent, probes.list.data() + probes.count);
}

std::size_t TargetIndex::memory_bytes() const {
  return v4_.memory_bytes() + v6_.memory_bytes() + names_.memory_bytes() +
         first_entry_.capacity() * sizeof(first_entry_[0]) +
         entries_.capacity() * sizeof(entries_[0]);
}

void TargetIndex::Builder::add(const Target& target, std::uint32_t id) {
  if (const IpPrefix* prefix = target.prefix()) {
    const auto length = static_cast<std::uint8_t>(prefix->length());
    if (prefix->is_v4()) {
      v4_.push_back({prefix->address().v4_value(), length, id});
    } else {
      v6_.push_back({v6_key(prefix->address()), length, id});
    }
  } else if (const DomainPattern* pattern = target.domain()) {
    names_.push_back(
        {pattern->domain().text(), pattern->subdomains() ? Kind::kSubdomains : Kind::kDomain, id});
  } else {
    names_.push_back({target.user()->name, Kind::kUser, id});
  }
}

TargetIndex TargetIndex::Builder::build(TextArena& arena) {
  TargetIndex index;
  BigVector<ListedEntry>& entries = index.entries_;
  entries.reserve(v4_.size() + v6_.size() + names_.size());
  std::size_t first_node = 0;
  const auto take = [&](std::uint32_t node, std::uint32_t id) {
    entries.push_back({id, static_cast<std::uint32_t>(first_node + node)});
  };
  index.v4_ = PrefixIndex<std::uint32_t>(v4_, take);
  first_node += index.v4_.size();
  index.v6_ = PrefixIndex<UInt128>(v6_, take);
  first_node += index.v6_.size();

  const std::size_t first_name = entries.size();
  index.names_ = NameIndex(names_.size());
  for (const Name& name : names_) {
    take(index.names_.insert(name.text, name.kind, arena), name.id);
    (name.kind == Kind::kUser ? index.has_users_ : index.has_domains_) = true;
    if (name.kind == Kind::kSubdomains)
      index.parent_depths_ |= std::uint64_t{1} << std::min(depth_of(name.text), kDeepest);
  }
  std::stable_sort(entries.begin() + static_cast<std::ptrdiff_t>(first_name), entries.end(),
                   [](const ListedEntry& a, const ListedEntry& b) { return a.node < b.node; });

  const std::size_t nodes = first_node + index.names_.size();
  index.first_entry_.assign(nodes + 1, 0);
  for (const ListedEntry& entry : entries) ++index.first_entry_[entry.node + 1];
  for (std::size_t node = 0; node < nodes; ++node)
    index.first_entry_[node + 1] += index.first_entry_[node];
  return index;
}

}  // namespace ipmit::policy
