// SPDX-License-Identifier: Apache-2.0
#include "schema/rule_codec.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace ipmit::schema {
namespace {

using policy::DomainPattern;
using policy::Exemption;
using policy::IpAddress;
using policy::IpPrefix;
using policy::Mitigation;
using policy::RateLimit;
using policy::SaslUser;
using policy::Scope;
using policy::Target;
using policy::TimePoint;

// Which optional parts of a rule follow.
constexpr std::uint64_t kRateLimit = 1, kStarts = 2, kEnds = 4, kScope = 8, kReply = 16,
                        kReroute = 32, kAllParts = 63;
enum class TargetKind : std::uint8_t { kV4, kV6, kDomain, kSubdomains, kUser };

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
  }
  void signed_number(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    number(bits << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }
  void time(TimePoint value) { signed_number(value.time_since_epoch().count()); }
  void text(std::string_view value) {
    number(value.size());
    out_.append(value);
  }
  void big_endian(std::uint64_t value, int bytes) {
    for (int i = bytes; i-- > 0;) out_.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  }

 private:
  std::string& out_;
};

void pack_domain(Writer& out, const DomainPattern& pattern) {
  out.number(pattern.subdomains() ? 1 : 0);
  out.text(pattern.domain().text());
}

void pack_target(Writer& out, const Target& target) {
  if (const IpPrefix* prefix = target.prefix()) {
    const IpAddress& address = prefix->address();
    out.number(static_cast<std::uint64_t>(prefix->is_v4() ? TargetKind::kV4 : TargetKind::kV6));
    out.number(static_cast<std::uint64_t>(prefix->length()));
    if (prefix->is_v4()) return out.big_endian(address.v4_value(), 4);
    out.big_endian(address.high(), 8);
    out.big_endian(address.low(), 8);
  } else if (const DomainPattern* pattern = target.domain()) {
    const auto kind = pattern->subdomains() ? TargetKind::kSubdomains : TargetKind::kDomain;
    out.number(static_cast<std::uint64_t>(kind));
    out.text(pattern->domain().text());
  } else {
    out.number(static_cast<std::uint64_t>(TargetKind::kUser));
    out.text(target.user()->name);
  }
}

void pack_scope(Writer& out, const Scope& scope) {
  out.number(scope.sender_domains.size());
  for (const auto& pattern : scope.sender_domains) pack_domain(out, pattern);
  out.number(scope.sasl_users.size());
  for (const auto& user : scope.sasl_users) out.text(user.name);
  out.number(scope.recipient_domains.size());
  for (const auto& pattern : scope.recipient_domains) pack_domain(out, pattern);
}

void pack_rate_limit(Writer& out, const RateLimit& rate) {
  out.number(rate.limit);
  out.signed_number(rate.period.count());
  out.number(rate.burst);
  out.number(static_cast<std::uint64_t>(rate.unit));
  out.number(static_cast<std::uint64_t>(rate.per));
}

void pack(Writer& out, const Mitigation& rule) {
  const bool reply =
      !rule.reply_code.empty() || !rule.reply_enhanced.empty() || !rule.reply_text.empty();
  std::uint64_t parts = 0;
  if (rule.rate_limit) parts |= kRateLimit;
  if (rule.starts) parts |= kStarts;
  if (rule.ends) parts |= kEnds;
  if (!rule.scope.empty()) parts |= kScope;
  if (reply) parts |= kReply;
  if (!rule.reroute_transport.empty()) parts |= kReroute;
  out.number(parts);
  out.text(rule.name);
  out.number(static_cast<std::uint64_t>(rule.origin));
  out.number(static_cast<std::uint64_t>(rule.action));
  out.number(static_cast<std::uint64_t>(rule.mode));
  out.signed_number(rule.priority);
  out.text(rule.reason);
  out.number(rule.revision);
  out.number(rule.targets.size());
  for (const Target& target : rule.targets) pack_target(out, target);
  if (rule.rate_limit) pack_rate_limit(out, *rule.rate_limit);
  if (rule.starts) out.time(*rule.starts);
  if (rule.ends) out.time(*rule.ends);
  if (!rule.scope.empty()) pack_scope(out, rule.scope);
  if (reply) {
    out.text(rule.reply_code);
    out.text(rule.reply_enhanced);
    out.text(rule.reply_text);
  }
  if (!rule.reroute_transport.empty()) out.text(rule.reroute_transport);
}

void pack(Writer& out, const Exemption& exemption) {
  pack_target(out, exemption.target);
  out.text(exemption.reason);
  out.number(exemption.ends ? kEnds : 0);
  if (exemption.ends) out.time(*exemption.ends);
  out.number(exemption.revision);
}

// Why the bytes are not rules; caught in unpack_rules, so it never leaves this file.
struct Damage {
  std::string reason;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number(std::uint64_t most = UINT64_MAX) {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes(1).front());
      if (shift == 63 && byte > 1) throw Damage{"number is too large"};
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) break;
      if (shift == 63) throw Damage{"number is too long"};
    }
    if (value > most) throw Damage{"number is out of range"};
    return value;
  }
  // How many entries follow: each takes a byte at least, so a count beyond the rest is damage and
  // can not make us reserve memory for it.
  std::size_t count() { return number(rest_.size()); }
  std::int64_t signed_number() {
    const std::uint64_t bits = number();
    return static_cast<std::int64_t>(bits >> 1 ^ (~(bits & 1) + 1));
  }
  TimePoint time() { return TimePoint(common::Duration(signed_number())); }
  std::string_view text() { return bytes(number()); }
  template <typename Enum>
  Enum choice(Enum last) {
    return static_cast<Enum>(number(static_cast<std::uint64_t>(last)));
  }
  std::string_view bytes(std::uint64_t size) {
    if (size > rest_.size()) throw Damage{"text is cut"};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

DomainPattern unpack_pattern(std::string_view domain, bool subdomains) {
  auto pattern = DomainPattern::parse(subdomains ? "*." + std::string(domain) : domain);
  if (!pattern) throw Damage{"domain: " + pattern.problem()};
  return std::move(pattern).value();
}

DomainPattern unpack_domain(Reader& in) {
  const bool subdomains = in.number(1) == 1;
  return unpack_pattern(in.text(), subdomains);
}

IpPrefix unpack_prefix(Reader& in, bool v4) {
  const auto length = static_cast<int>(in.number(v4 ? 32 : 128));
  std::array<std::uint8_t, 4> short_bytes{};
  std::array<std::uint8_t, 16> long_bytes{};
  if (v4) {
    std::memcpy(short_bytes.data(), in.bytes(4).data(), 4);
    return IpPrefix::of(IpAddress::from_v4(short_bytes), length);
  }
  std::memcpy(long_bytes.data(), in.bytes(16).data(), 16);
  return IpPrefix::of(IpAddress::from_v6(long_bytes), length);
}

Target unpack_target(Reader& in) {
  const auto kind = in.choice(TargetKind::kUser);
  switch (kind) {
    case TargetKind::kV4:
    case TargetKind::kV6:
      return Target(unpack_prefix(in, kind == TargetKind::kV4));
    case TargetKind::kDomain:
    case TargetKind::kSubdomains:
      return Target(unpack_pattern(in.text(), kind == TargetKind::kSubdomains));
    case TargetKind::kUser:
      break;
  }
  return Target(SaslUser{std::string(in.text())});
}

void unpack_domains(Reader& in, std::vector<DomainPattern>& out) {
  const std::size_t size = in.count();
  out.reserve(size);
  for (std::size_t i = 0; i < size; ++i) out.push_back(unpack_domain(in));
}

void unpack_scope(Reader& in, Scope& scope) {
  unpack_domains(in, scope.sender_domains);
  const std::size_t size = in.count();
  for (std::size_t i = 0; i < size; ++i)
    scope.sasl_users.push_back(SaslUser{std::string(in.text())});
  unpack_domains(in, scope.recipient_domains);
}

RateLimit unpack_rate_limit(Reader& in) {
  RateLimit rate;
  rate.limit = static_cast<std::uint32_t>(in.number(UINT32_MAX));
  rate.period = common::Duration(in.signed_number());
  rate.burst = static_cast<std::uint32_t>(in.number(UINT32_MAX));
  rate.unit = in.choice(policy::RateUnit::kRecipients);
  rate.per = in.choice(policy::RateKey::kAddress);
  return rate;
}

Mitigation unpack_mitigation(Reader& in) {
  Mitigation rule;
  const std::uint64_t parts = in.number(kAllParts);
  rule.name = in.text();
  rule.origin = in.choice(policy::Origin::kFeed);
  rule.action = in.choice(policy::Action::kDiscard);
  rule.mode = in.choice(policy::Mode::kDryRun);
  const std::int64_t priority = in.signed_number();
  if (priority < INT16_MIN || priority > INT16_MAX) throw Damage{"priority is out of range"};
  rule.priority = static_cast<int>(priority);
  rule.reason = in.text();
  rule.revision = in.number();
  const std::size_t targets = in.count();
  rule.targets.reserve(targets);
  for (std::size_t i = 0; i < targets; ++i) rule.targets.push_back(unpack_target(in));
  if ((parts & kRateLimit) != 0) rule.rate_limit = unpack_rate_limit(in);
  if ((parts & kStarts) != 0) rule.starts = in.time();
  if ((parts & kEnds) != 0) rule.ends = in.time();
  if ((parts & kScope) != 0) unpack_scope(in, rule.scope);
  if ((parts & kReply) != 0) {
    rule.reply_code = in.text();
    rule.reply_enhanced = in.text();
    rule.reply_text = in.text();
  }
  if ((parts & kReroute) != 0) rule.reroute_transport = in.text();
  if (const auto problem = policy::validate(rule)) throw Damage{problem->reason};
  return rule;
}

Exemption unpack_exemption(Reader& in) {
  Exemption exemption{unpack_target(in), std::string(in.text()), std::nullopt, 0};
  if (in.number(kEnds) == kEnds) exemption.ends = in.time();
  exemption.revision = in.number();
  if (const auto problem = policy::validate(exemption)) throw Damage{problem->reason};
  return exemption;
}

}  // namespace

void pack_rules(const policy::MitigationSet::Source& set, std::string& out) {
  Writer writer(out);
  writer.number(set.revision);
  writer.number(set.mitigations.size());
  for (const Mitigation& rule : set.mitigations) pack(writer, rule);
  writer.number(set.exemptions.size());
  for (const Exemption& exemption : set.exemptions) pack(writer, exemption);
}

common::Result<policy::MitigationSet::Source> unpack_rules(std::string_view bytes) {
  policy::MitigationSet::Source set;
  Reader reader(bytes);
  std::string place = "head";
  try {
    set.revision = reader.number();
    const std::size_t rules = reader.count();
    // A rule takes more than 16 bytes; a count that cannot be true must not reserve for itself.
    set.mitigations.reserve(std::min(rules, bytes.size() / 16 + 1));
    place = "mitigation ";
    for (std::size_t i = 0; i < rules; ++i) set.mitigations.push_back(unpack_mitigation(reader));
    place = "exemption ";
    const std::size_t exemptions = reader.count();
    for (std::size_t i = 0; i < exemptions; ++i) set.exemptions.push_back(unpack_exemption(reader));
  } catch (const Damage& damage) {
    if (place == "mitigation ") place += std::to_string(set.mitigations.size());
    if (place == "exemption ") place += std::to_string(set.exemptions.size());
    return common::Problem{place + ": " + damage.reason};
  }
  if (!reader.done()) return common::Problem{"bytes left over after the last rule"};
  return set;
}

}  // namespace ipmit::schema
