// SPDX-License-Identifier: Apache-2.0
#include "policy/mitigation.h"

#include <algorithm>
#include <array>
#include <utility>

#include "policy/text.h"

namespace ipmit::policy {
namespace {

using common::Problem;
using common::Result;

template <typename Enum>
using Name = std::pair<Enum, std::string_view>;

constexpr std::array<Name<Action>, 7> kActions{{{Action::kObserve, "Observe"},
                                                {Action::kReroute, "Reroute"},
                                                {Action::kThrottle, "Throttle"},
                                                {Action::kDefer, "Defer"},
                                                {Action::kQuarantine, "Quarantine"},
                                                {Action::kReject, "Reject"},
                                                {Action::kDiscard, "Discard"}}};
constexpr std::array<Name<Mode>, 2> kModes{
    {{Mode::kEnforce, "Enforce"}, {Mode::kDryRun, "DryRun"}}};
constexpr std::array<Name<Origin>, 4> kOrigins{{{Origin::kManual, "Manual"},
                                                {Origin::kDetector, "Detector"},
                                                {Origin::kDatabase, "Database"},
                                                {Origin::kFeed, "Feed"}}};
constexpr std::array<Name<RateUnit>, 2> kRateUnits{
    {{RateUnit::kMessages, "messages"}, {RateUnit::kRecipients, "recipients"}}};
constexpr std::array<Name<RateKey>, 2> kRateKeys{
    {{RateKey::kTarget, "target"}, {RateKey::kAddress, "address"}}};

template <typename Enum, std::size_t kCount>
std::string_view name_of(const std::array<Name<Enum>, kCount>& names, Enum value) {
  return names[static_cast<std::size_t>(value)].second;  // the tables are in the enums' order
}

template <typename Enum, std::size_t kCount>
std::optional<Enum> find_name(const std::array<Name<Enum>, kCount>& names, std::string_view text) {
  for (const auto& [value, name] : names)
    if (equals_ignoring_case(name, text)) return value;
  return std::nullopt;
}

constexpr std::string_view kIpTag = "ip:", kDomainTag = "domain:", kUserTag = "user:";

// Takes `tag`, in any case, from the front of `text`.
bool take_tag(std::string_view& text, std::string_view tag) {
  if (!equals_ignoring_case(text.substr(0, tag.size()), tag)) return false;
  text.remove_prefix(tag.size());
  return true;
}

template <typename Parsed>
Result<Target> to_target(Parsed parsed) {
  if (!parsed) return Problem{parsed.problem()};
  return Target(std::move(parsed).value());
}

bool looks_like_address(std::string_view text) {
  return text.find_first_of("/:[") != std::string_view::npos ||
         std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; });
}

template <typename T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

std::string_view to_string(Action action) {
  return name_of(kActions, action);
}
std::string_view to_string(Mode mode) {
  return name_of(kModes, mode);
}
std::string_view to_string(Origin origin) {
  return name_of(kOrigins, origin);
}
std::string_view to_string(RateUnit unit) {
  return name_of(kRateUnits, unit);
}
std::string_view to_string(RateKey key) {
  return name_of(kRateKeys, key);
}
std::optional<Action> parse_action(std::string_view text) {
  return find_name(kActions, text);
}
std::optional<Mode> parse_mode(std::string_view text) {
  return find_name(kModes, text);
}
std::optional<Origin> parse_origin(std::string_view text) {
  return find_name(kOrigins, text);
}
std::optional<RateUnit> parse_rate_unit(std::string_view text) {
  return find_name(kRateUnits, text);
}
std::optional<RateKey> parse_rate_key(std::string_view text) {
  return find_name(kRateKeys, text);
}

Result<SaslUser> parse_sasl_user(std::string_view text) {
  if (text.empty()) return Problem{"empty SASL user"};
  if (text.size() > 255) return Problem{"a SASL user of more than 255 bytes"};
  if (has_control(text) || !is_utf8(text))
    return Problem{"a SASL user is UTF-8 without control characters"};
  if (trim(text).size() != text.size()) return Problem{"a SASL user with blanks at its ends"};
  return SaslUser{to_lower(text)};
}

Result<Target> Target::parse(std::string_view text) {
  std::string_view rest = text;
  if (take_tag(rest, kIpTag)) return to_target(IpPrefix::parse(rest));
  if (take_tag(rest, kDomainTag)) return to_target(DomainPattern::parse(rest));
  if (take_tag(rest, kUserTag)) return to_target(parse_sasl_user(rest));

  auto prefix = IpPrefix::parse(text);
  if (prefix || (!text.empty() && looks_like_address(text))) return to_target(std::move(prefix));
  if (text.find('.') != std::string_view::npos && text.find('@') == std::string_view::npos)
    return to_target(DomainPattern::parse(text));
  return Problem{'"' + std::string(text.substr(0, 80)) +
                 "\": write ip:, domain: or user: before it"};
}

std::string Target::to_string() const {
  if (const IpPrefix* range = prefix()) return range->to_string();
  if (const DomainPattern* pattern = domain())
    return std::string(kDomainTag) + pattern->to_string();
  return std::string(kUserTag) + user()->name;
}

void canonicalise(Mitigation& mitigation) {
  sort_unique(mitigation.targets);
  sort_unique(mitigation.scope.sender_domains);
  sort_unique(mitigation.scope.sasl_users);
  sort_unique(mitigation.scope.recipient_domains);
}

}  // namespace ipmit::policy
