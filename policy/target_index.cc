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
std::string prefix_text(const PrefixIndex<Key>& prefixes, const TargetEntry& entry) {
  return IpPrefix::of(to_address(prefixes.start(entry)), entry.length).to_string();
}

// In labels.
std::size_t depth_of(std::string_view domain) {
  return 1 + static_cast<std::size_t>(std::count(domain.begin(), domain.end(), '.'));
}

}  // namespace

std::string TargetIndex::text(Entry number, const TextArena& arena) const {
  const TargetEntry& entry = entries_[number];
  if (entry.kind == TargetEntry::Kind::kV4) return prefix_text(v4_, entry);
  if (entry.kind == TargetEntry::Kind::kV6) return prefix_text(v6_, entry);
  std::string text = names_.kind(entry.at) == Kind::kUser         ? "user:"
                     : names_.kind(entry.at) == Kind::kSubdomains ? "domain:*."
                                                                  : "domain:";
  return text.append(names_.text(entry.at, arena));
}

void TargetIndex::prepare(std::string_view user, std::string_view domain,
                          Question& question) const {
  if (question.client != nullptr && question.client->is_v4())
    v4_.prefetch(question.client->v4_value());
  if (names_.size() == 0) return;
  const auto add = [&](std::string_view name, Kind kind) {
    if (question.count == question.probes.size()) return;  // no domain has so many labels
    const std::uint64_t hash = NameIndex::hash(name, kind);
    names_.prefetch(hash);
    question.probes[question.count++] = {hash, name.data(), name.size(), kind};
  };
  if (has_users_ && !user.empty()) add(user, Kind::kUser);
  if (!has_domains_ || domain.empty() || domain.size() > 255) return;
  add(domain, Kind::kDomain);
  if (parent_depths_ == 0) return;
  const std::size_t first_parent = question.count;
  const char* const begin = domain.data();
  const char* end = begin + domain.size();
  std::size_t depth = 1;
  while (const void* dot = memrchr(begin, '.', static_cast<std::size_t>(end - begin))) {
    end = static_cast<const char*>(dot);
    if ((parent_depths_ >> std::min(depth++, kDeepest) & 1) != 0)
      add(domain.substr(static_cast<std::size_t>(end - begin) + 1), Kind::kSubdomains);
  }
  // The nearest parent first.
  std::reverse(question.probes.data() + first_parent, question.probes.data() + question.count);
}

std::size_t TargetIndex::memory_bytes() const {
  return v4_.memory_bytes() + v6_.memory_bytes() + names_.memory_bytes() +
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
  BigVector<TargetEntry>& entries = index.entries_;
  entries.reserve(v4_.size() + v6_.size() + names_.size());
  index.v4_ = PrefixIndex<std::uint32_t>(v4_, entries);
  index.v6_ = PrefixIndex<UInt128>(v6_, entries);
  index.names_ = NameIndex(names_.size());
  std::vector<Entry> last_of_node;
  last_of_node.reserve(names_.size());
  for (const Name& name : names_) {
    const auto entry = static_cast<Entry>(entries.size());
    const std::uint32_t node = index.names_.insert(name.text, name.kind, arena);
    entries.push_back({.id = name.id,
                       .next = TargetEntry::kNone,
                       .at = node,
                       .length = 0,
                       .kind = TargetEntry::Kind::kName});
    if (node == last_of_node.size()) {
      index.names_.set_mark(node, entry);
      last_of_node.push_back(entry);
    } else {
      entries[last_of_node[node]].next = entry;
      last_of_node[node] = entry;
    }
    (name.kind == Kind::kUser ? index.has_users_ : index.has_domains_) = true;
    if (name.kind == Kind::kSubdomains)
      index.parent_depths_ |= std::uint64_t{1} << std::min(depth_of(name.text), kDeepest);
  }
  return index;
}

}  // namespace ipmit::policy
