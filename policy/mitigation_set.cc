// SPDX-License-Identifier: Apache-2.0
#include "policy/mitigation_set.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "policy/rule_table.h"
#include "policy/target_index.h"

namespace ipmit::policy {

struct MitigationSet::Impl {
  struct PackedExemption {
    std::int64_t ends_ms;
    std::uint32_t text;
    std::uint32_t text_length;
  };
  RuleTable rules;
  TargetIndex targets;  // id: RuleId
  std::vector<PackedExemption> exemptions;
  TargetIndex exempt_targets;  // id: index in `exemptions`
  TextArena arena;
  std::uint64_t revision = 0;

  void find(const TargetIndex::Question& question, std::vector<Match>& out) const {
    const std::size_t first = out.size();
    targets.find(question, arena, [&](TargetIndex::Entry entry) {
      const RuleId rule = targets.id(entry);
      rules.prefetch(rule);
      if (!was_found(rule, out.data() + first, out)) out.push_back({rule, entry});
      return true;
    });
  }
  std::optional<std::string_view> exemption(const TargetIndex::Question& question,
                                            TimePoint now) const {
    const std::int64_t now_ms = now.time_since_epoch().count();
    std::optional<std::string_view> found;
    exempt_targets.find(question, arena, [&](TargetIndex::Entry entry) {
      const PackedExemption& exemption = exemptions[exempt_targets.id(entry)];
      if (exemption.ends_ms <= now_ms) return true;
      found = arena.view(exemption.text, exemption.text_length);
      return false;
    });
    return found;
  }
  bool was_found(RuleId rule, const Match* begin, const std::vector<Match>& out) const {
    return rules.has_several_targets(rule) &&
           std::any_of(begin, out.data() + out.size(),
                       [&](const Match& match) { return match.rule == rule; });
  }
};

namespace {

// For each mitigation, whether it is the last of its name.
std::vector<bool> last_of_name(const std::vector<Mitigation>& mitigations) {
  std::vector<bool> last(mitigations.size());
  const std::size_t slots = std::bit_ceil(mitigations.size() * 2 + 1);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> seen(slots);  // hash, index + 1; 0: free
  for (std::size_t i = mitigations.size(); i > 0; --i) {
    const std::string& name = mitigations[i - 1].name;
    const std::size_t hash = std::hash<std::string>{}(name);
    const auto high = static_cast<std::uint32_t>(hash >> 32);
    std::size_t at = hash & (slots - 1);
    while (seen[at].second != 0 &&
           (seen[at].first != high || mitigations[seen[at].second - 1].name != name))
      at = (at + 1) & (slots - 1);
    if (seen[at].second != 0) continue;
    seen[at] = {high, static_cast<std::uint32_t>(i)};
    last[i - 1] = true;
  }
  return last;
}

}  // namespace

MitigationSet::MitigationSet() : impl_(std::make_unique<Impl>()) {}
MitigationSet::~MitigationSet() = default;

std::shared_ptr<const MitigationSet> MitigationSet::build(const Source& source) {
  auto set = std::make_shared<MitigationSet>();
  Impl& impl = *set->impl_;
  impl.revision = source.revision;

  TargetIndex::Builder targets;
  RuleTable::Builder rules(source.mitigations.size(), impl.arena);
  const std::vector<bool> last = last_of_name(source.mitigations);
  for (std::size_t i = 0; i < source.mitigations.size(); ++i) {
    if (!last[i]) continue;
    const RuleId id = rules.add(source.mitigations[i]);
    for (const Target& target : source.mitigations[i].targets) targets.add(target, id);
  }
  impl.rules = rules.build();
  impl.targets = targets.build(impl.arena);

  TargetIndex::Builder exempt;
  for (const Exemption& exemption : source.exemptions) {
    const std::string text = exemption.target.to_string();
    exempt.add(exemption.target, static_cast<std::uint32_t>(impl.exemptions.size()));
    impl.exemptions.push_back({exemption.ends ? exemption.ends->time_since_epoch().count()
                                              : std::numeric_limits<std::int64_t>::max(),
                               impl.arena.add(text), static_cast<std::uint32_t>(text.size())});
  }
  impl.exempt_targets = exempt.build(impl.arena);
  impl.arena.shrink();
  return set;
}

std::size_t MitigationSet::size() const {
  return impl_->rules.size();
}
std::size_t MitigationSet::exemption_count() const {
  return impl_->exemptions.size();
}
std::uint64_t MitigationSet::revision() const {
  return impl_->revision;
}
std::size_t MitigationSet::memory_bytes() const {
  return sizeof(Impl) + impl_->rules.memory_bytes() + impl_->targets.memory_bytes() +
         impl_->exempt_targets.memory_bytes() + impl_->arena.memory_bytes() +
         impl_->exemptions.capacity() * sizeof(Impl::PackedExemption);
}

MitigationSet::Rule MitigationSet::rule(RuleId id) const {
  return impl_->rules.rule(id, impl_->arena);
}

std::optional<RuleId> MitigationSet::find(std::string_view name) const {
  for (std::size_t id = 0; id < size(); ++id)
    if (impl_->rules.name(static_cast<RuleId>(id), impl_->arena) == name)
      return static_cast<RuleId>(id);
  return std::nullopt;
}

std::string MitigationSet::target_text(std::uint32_t target) const {
  return impl_->targets.text(target, impl_->arena);
}

void MitigationSet::find(const IpAddress* client, std::string_view sasl_user,
                         std::string_view sender_domain, std::vector<Match>& out) const {
  impl_->find({impl_->targets, client, sasl_user, sender_domain}, out);
}

std::optional<std::string_view> MitigationSet::exemption(const IpAddress* client,
                                                         std::string_view sasl_user,
                                                         std::string_view sender_domain,
                                                         TimePoint now) const {
  return impl_->exemption({impl_->exempt_targets, client, sasl_user, sender_domain}, now);
}

std::optional<std::string_view> MitigationSet::find_unless_exempt(const IpAddress* client,
                                                                  std::string_view sasl_user,
                                                                  std::string_view sender_domain,
                                                                  TimePoint now,
                                                                  std::vector<Match>& out) const {
  const TargetIndex::Question question(impl_->targets, client, sasl_user, sender_domain);
  const auto exempt = exemption(client, sasl_user, sender_domain, now);
  if (!exempt) impl_->find(question, out);
  return exempt;
}

}  // namespace ipmit::policy
