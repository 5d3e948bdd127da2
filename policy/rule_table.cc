// SPDX-License-Identifier: Apache-2.0
#include "policy/rule_table.h"

#include <bit>
#include <functional>
#include <limits>

namespace ipmit::policy {
namespace {

constexpr std::int64_t kForEver = std::numeric_limits<std::int64_t>::max();

std::int64_t to_ms(const std::optional<TimePoint>& end) {
  return end ? end->time_since_epoch().count() : kForEver;
}

std::optional<TimePoint> to_time(std::int64_t end_ms) {
  if (end_ms == kForEver) return std::nullopt;
  return TimePoint(Duration(end_ms));
}

}  // namespace

MitigationSet::Rule RuleTable::rule(RuleId id, const TextArena& arena) const {
  const Packed& packed = rules_[id];
  const Detail& detail = details_[packed.detail];
  __builtin_prefetch(arena.view(packed.name, 0).data());  // read next, by whoever acts on the rule
  return {.name = arena.view(packed.name, packed.name_length),
          .reason = arena.view(packed.reason, packed.reason_length),
          .reply_code = detail.reply_code.in(arena),
          .reply_enhanced = detail.reply_enhanced.in(arena),
          .reply_text = detail.reply_text.in(arena),
          .reroute_transport = detail.reroute_transport.in(arena),
          .action = packed.action,
          .mode = packed.mode,
          .priority = packed.priority,
          .starts = detail.starts,
          .ends = to_time(packed.ends_ms),
          .rate_limit = detail.rate_limit,
          .scope = {.sender_domains = detail.sender_domains.in(arena),
                    .sasl_users = detail.sasl_users.in(arena),
                    .recipient_domains = detail.recipient_domains.in(arena)}};
}

RuleId RuleTable::Builder::add(const Mitigation& mitigation) {
  const Text reason = intern(mitigation.reason);
  table_.rules_.push_back({.ends_ms = to_ms(mitigation.ends),
                           .name = arena_.add(mitigation.name),
                           .reason = reason.at,
                           .detail = intern_detail(mitigation),
                           .priority = static_cast<std::int16_t>(mitigation.priority),
                           .reason_length = static_cast<std::uint16_t>(reason.length),
                           .name_length = static_cast<std::uint8_t>(mitigation.name.size()),
                           .action = mitigation.action,
                           .mode = mitigation.mode,
                           .several_targets = mitigation.targets.size() > 1});
  return static_cast<RuleId>(table_.rules_.size() - 1);
}

RuleTable RuleTable::Builder::build() {
  table_.details_.shrink_to_fit();
  return std::move(table_);
}

RuleTable::Builder::Builder(std::size_t rules, TextArena& arena)
    : arena_(arena), seen_(std::bit_ceil(rules * 2 + 1024)) {
  table_.rules_.reserve(rules);
}

RuleTable::Text RuleTable::Builder::intern(std::string_view text) {
  if (text.empty()) return {};
  if (seen_count_ * 4 >= seen_.size() * 3) grow();
  const std::uint64_t hash = std::hash<std::string_view>{}(text);
  const std::size_t mask = seen_.size() - 1;
  const auto high = static_cast<std::uint32_t>(hash >> 32);
  std::size_t at = hash & mask;
  while (seen_[at].text.length != 0 &&
         (seen_[at].high != high || seen_[at].text.in(arena_) != text))
    at = (at + 1) & mask;
  if (seen_[at].text.length == 0) {
    seen_[at] = {{arena_.add(text), static_cast<std::uint32_t>(text.size())}, high};
    ++seen_count_;
  }
  return seen_[at].text;
}

void RuleTable::Builder::grow() {
  std::vector<Seen> old(seen_.size() * 4);
  old.swap(seen_);
  const std::size_t mask = seen_.size() - 1;
  for (const Seen& seen : old) {
    if (seen.text.length == 0) continue;
    std::size_t at = std::hash<std::string_view>{}(seen.text.in(arena_)) & mask;
    while (seen_[at].text.length != 0) at = (at + 1) & mask;
    seen_[at] = seen;
  }
}

RuleTable::Text RuleTable::Builder::intern_lines(const std::vector<DomainPattern>& patterns) {
  std::string lines;
  for (const DomainPattern& pattern : patterns) lines.append(pattern.to_string()).append(1, '\n');
  return intern(lines);
}

RuleTable::Text RuleTable::Builder::intern_lines(const std::vector<SaslUser>& users) {
  std::string lines;
  for (const SaslUser& user : users) lines.append(user.name).append(1, '\n');
  return intern(lines);
}

std::uint32_t RuleTable::Builder::intern_detail(const Mitigation& mitigation) {
  const Detail detail{.rate_limit = mitigation.rate_limit,
                      .starts = mitigation.starts,
                      .reply_code = intern(mitigation.reply_code),
                      .reply_enhanced = intern(mitigation.reply_enhanced),
                      .reply_text = intern(mitigation.reply_text),
                      .reroute_transport = intern(mitigation.reroute_transport),
                      .sender_domains = intern_lines(mitigation.scope.sender_domains),
                      .sasl_users = intern_lines(mitigation.scope.sasl_users),
                      .recipient_domains = intern_lines(mitigation.scope.recipient_domains)};
  const auto next = static_cast<std::uint32_t>(table_.details_.size());
  const auto [found, added] = details_.try_emplace(detail, next);
  if (added) table_.details_.push_back(detail);
  return found->second;
}

std::size_t RuleTable::Builder::DetailHash::operator()(const Detail& detail) const {
  std::uint64_t hash = 0;
  const auto add = [&](std::uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 32;
  };
  if (detail.rate_limit) {
    const RateLimit& rate = *detail.rate_limit;
    add(rate.limit);
    add(static_cast<std::uint64_t>(rate.period.count()));
    add(std::uint64_t{rate.burst} << 2 | static_cast<std::uint64_t>(rate.unit) << 1 |
        static_cast<std::uint64_t>(rate.per));
  }
  if (detail.starts) add(static_cast<std::uint64_t>(detail.starts->time_since_epoch().count()));
  for (const Text* text :
       {&detail.reply_code, &detail.reply_enhanced, &detail.reply_text, &detail.reroute_transport,
        &detail.sender_domains, &detail.sasl_users, &detail.recipient_domains})
    add(text->at);
  return hash;
}

}  // namespace ipmit::policy
