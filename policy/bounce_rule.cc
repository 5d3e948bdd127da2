// SPDX-License-Identifier: Apache-2.0
#include "policy/bounce_rule.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ipmit::policy {
namespace {

template <typename E>
using Name = std::pair<E, std::string_view>;

constexpr Name<BounceClass> kClasses[] = {
    {BounceClass::kHardUser, "hard_user"},  {BounceClass::kHardDomain, "hard_domain"},
    {BounceClass::kInactive, "inactive"},   {BounceClass::kReputation, "reputation"},
    {BounceClass::kConfig, "config"},       {BounceClass::kThrottle, "throttle"},
    {BounceClass::kSoft, "soft"},           {BounceClass::kUnclear, "unclear"},
    {BounceClass::kComplaint, "complaint"}, {BounceClass::kAuto, "auto"},
};
constexpr Name<SmtpStage> kStages[] = {
    {SmtpStage::kUnknown, "unknown"}, {SmtpStage::kConnect, "connect"}, {SmtpStage::kHelo, "helo"},
    {SmtpStage::kTls, "tls"},         {SmtpStage::kAuth, "auth"},       {SmtpStage::kMail, "mail"},
    {SmtpStage::kRcpt, "rcpt"},       {SmtpStage::kData, "data"},
};

template <typename E, std::size_t N>
std::optional<E> parse(const Name<E> (&names)[N], std::string_view text) {
  const auto found = std::find_if(std::begin(names), std::end(names),
                                  [&](const Name<E>& name) { return name.second == text; });
  if (found == std::end(names)) return std::nullopt;
  return found->first;
}

}  // namespace

std::string_view to_string(BounceClass bounce_class) {
  return kClasses[static_cast<std::size_t>(bounce_class)].second;
}
std::optional<BounceClass> parse_bounce_class(std::string_view text) {
  return parse(kClasses, text);
}
std::string_view to_string(SmtpStage stage) {
  return kStages[static_cast<std::size_t>(stage)].second;
}
std::optional<SmtpStage> parse_smtp_stage(std::string_view text) {
  return parse(kStages, text);
}

}  // namespace ipmit::policy
