// SPDX-License-Identifier: Apache-2.0
#include "policy/mitigation_set.h"

#include <algorithm>
#include <map>

namespace ipmit::policy {

struct MitigationSet::Impl {
  struct Entry {
    RuleId rule;
    Target target;
  };
  std::vector<Mitigation> mitigations;
  std::vector<Entry> targets;
  std::vector<Exemption> exemptions;
  std::vector<std::string> exempt_texts;
  std::uint64_t revision = 0;
};

namespace {

// How near a target is to the message, higher is nearer; 0: it does not match.
int nearness(const Target& target, const IpAddress* client, std::string_view user,
             std::string_view domain) {
  if (const IpPrefix* prefix = target.prefix())
    return client != nullptr && prefix->contains(*client) ? 2000 + prefix->length() : 0;
  if (const SaslUser* wanted = target.user())
    return !user.empty() && wanted->name == user ? 1000 : 0;
  const DomainPattern& pattern = *target.domain();
  if (domain.empty() || !pattern.matches(domain)) return 0;
  return 1 + static_cast<int>(pattern.domain().text().size());
}

}  // namespace

MitigationSet::MitigationSet() : impl_(std::make_unique<Impl>()) {}
MitigationSet::~MitigationSet() = default;

std::shared_ptr<const MitigationSet> MitigationSet::build(const Source& source) {
  auto set = std::make_shared<MitigationSet>();
  Impl& impl = *set->impl_;
  impl.revision = source.revision;
  std::map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < source.mitigations.size(); ++i) last[source.mitigations[i].name] = i;
  for (std::size_t i = 0; i < source.mitigations.size(); ++i) {
    const Mitigation& mitigation = source.mitigations[i];
    if (last[mitigation.name] != i) continue;
    for (const Target& target : mitigation.targets)
      impl.targets.push_back({static_cast<RuleId>(impl.mitigations.size()), target});
    impl.mitigations.push_back(mitigation);
  }
  impl.exemptions = source.exemptions;
  for (const Exemption& exemption : impl.exemptions)
    impl.exempt_texts.push_back(exemption.target.to_string());
  return set;
}

std::size_t MitigationSet::size() const {
  return impl_->mitigations.size();
}
std::size_t MitigationSet::exemption_count() const {
  return impl_->exemptions.size();
}
std::uint64_t MitigationSet::revision() const {
  return impl_->revision;
}
std::size_t MitigationSet::memory_bytes() const {
  return impl_->mitigations.size() * sizeof(Mitigation) +
         impl_->targets.size() * sizeof(Impl::Entry) + impl_->exemptions.size() * sizeof(Exemption);
}

MitigationSet::Rule MitigationSet::rule(RuleId id) const {
  const Mitigation& m = impl_->mitigations[id];
  return {.name = m.name,
          .reason = m.reason,
          .reply_code = m.reply_code,
          .reply_enhanced = m.reply_enhanced,
          .reply_text = m.reply_text,
          .reroute_transport = m.reroute_transport,
          .action = m.action,
          .mode = m.mode,
          .priority = m.priority,
          .starts = m.starts,
          .ends = m.ends,
          .rate_limit = m.rate_limit,
          .scope = m.scope.empty() ? nullptr : &m.scope};
}

std::optional<RuleId> MitigationSet::find(std::string_view name) const {
  for (std::size_t i = 0; i < impl_->mitigations.size(); ++i)
    if (impl_->mitigations[i].name == name) return static_cast<RuleId>(i);
  return std::nullopt;
}

std::string MitigationSet::target_text(std::uint32_t target) const {
  return impl_->targets[target].target.to_string();
}

void MitigationSet::find(const IpAddress* client, std::string_view sasl_user,
                         std::string_view sender_domain, std::vector<Match>& out) const {
  RuleId current = 0;
  int best = 0;
  for (std::size_t i = 0; i < impl_->targets.size(); ++i) {
    const Impl::Entry& entry = impl_->targets[i];
    if (entry.rule != current) best = 0;
    current = entry.rule;
    const int near = nearness(entry.target, client, sasl_user, sender_domain);
    if (near <= best) continue;
    const Match match{entry.rule, static_cast<std::uint32_t>(i)};
    if (best == 0) {
      out.push_back(match);
    } else {
      out.back() = match;
    }
    best = near;
  }
}

std::optional<std::string_view> MitigationSet::exemption(const IpAddress* client,
                                                         std::string_view sasl_user,
                                                         std::string_view sender_domain,
                                                         TimePoint now) const {
  for (std::size_t i = 0; i < impl_->exemptions.size(); ++i) {
    const Exemption& exemption = impl_->exemptions[i];
    if (exemption.ends && *exemption.ends <= now) continue;
    if (nearness(exemption.target, client, sasl_user, sender_domain) > 0)
      return impl_->exempt_texts[i];
  }
  return std::nullopt;
}

}  // namespace ipmit::policy
