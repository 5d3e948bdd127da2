// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "common/error.h"
#include "policy/domain_name.h"
#include "policy/ip_address.h"

namespace ipmit::policy {

using common::Duration;
using common::TimePoint;

// What is done with a message. The order is the strictness: of two matching mitigations with equal
// priority the later one wins.
enum class Action : std::uint8_t {
  kObserve,     // nothing; counted and logged
  kReroute,     // accepted, sent by another Postfix transport
  kThrottle,    // 4xx above a rate limit
  kDefer,       // 4xx
  kQuarantine,  // accepted into Postfix's hold queue
  kReject,      // 5xx
  kDiscard,     // accepted and thrown away
};
// kDryRun: decided, counted and logged as if enforced, but the message goes on.
enum class Mode : std::uint8_t { kEnforce, kDryRun };
enum class Origin : std::uint8_t { kManual, kDetector, kDatabase, kFeed };

// Names as in the database, JSON and the IPMitigation resource: "Observe", "DryRun", "Manual", …
// Parsing ignores case.
std::string_view to_string(Action action);
std::string_view to_string(Mode mode);
std::string_view to_string(Origin origin);
std::optional<Action> parse_action(std::string_view text);
std::optional<Mode> parse_mode(std::string_view text);
std::optional<Origin> parse_origin(std::string_view text);

// A SASL login as Postfix gives it in {auth_authen}. Compared byte by byte after ASCII
// lower-casing, as most SASL back ends do.
struct SaslUser {
  std::string name;
  friend auto operator<=>(const SaslUser&, const SaslUser&) = default;
};
// 1 to 255 bytes, no control characters and no blanks at the ends.
common::Result<SaslUser> parse_sasl_user(std::string_view text);

// Whom a mitigation or an exemption is about.
class Target {
 public:
  using Value = std::variant<IpPrefix, DomainPattern, SaslUser>;

  Target(Value value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)

  // The canonical text, which is also the key in stores: "203.0.113.0/24", "2001:db8::/64",
  // "domain:example.com", "domain:*.example.com", "user:alice@example.com". parse() also takes an
  // "ip:" tag; a text without tag is an address or prefix if it parses as one, a domain if it has a
  // dot and no '@', else a Problem that asks for the tag.
  static common::Result<Target> parse(std::string_view text);
  std::string to_string() const;

  const Value& value() const { return value_; }
  const IpPrefix* prefix() const { return std::get_if<IpPrefix>(&value_); }
  const DomainPattern* domain() const { return std::get_if<DomainPattern>(&value_); }
  const SaslUser* user() const { return std::get_if<SaslUser>(&value_); }

  friend auto operator<=>(const Target&, const Target&) = default;

 private:
  Value value_;
};

// Narrows a mitigation: every non-empty list must have a match (AND between lists, OR inside one).
struct Scope {
  std::vector<DomainPattern> sender_domains;
  std::vector<SaslUser> sasl_users;
  std::vector<DomainPattern> recipient_domains;

  bool empty() const {
    return sender_domains.empty() && sasl_users.empty() && recipient_domains.empty();
  }
  friend bool operator==(const Scope&, const Scope&) = default;
};

enum class RateUnit : std::uint8_t { kMessages, kRecipients };
// kTarget: one budget for the whole target; kAddress: one for each client address inside it (for
// IPv6 each /64, else a host would have 2^64 budgets).
enum class RateKey : std::uint8_t { kTarget, kAddress };
std::string_view to_string(RateUnit unit);  // "messages", "recipients"
std::string_view to_string(RateKey key);    // "target", "address"
std::optional<RateUnit> parse_rate_unit(std::string_view text);
std::optional<RateKey> parse_rate_key(std::string_view text);

// `limit` units in each `period`, after `burst` units at once (GCRA, see rate_limit.h).
struct RateLimit {
  std::uint32_t limit = 0;  // 1 to 1'000'000'000
  Duration period{0};       // 1 s to 31 days
  std::uint32_t burst = 0;  // 1 to 1'000'000'000; parse and JSON default it to `limit`
  RateUnit unit = RateUnit::kMessages;
  RateKey per = RateKey::kTarget;

  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

// One decision of a person or of the detector about some targets. A plain value: validate() says
// whether it may be stored or enforced; everything read from a store has passed it.
struct Mitigation {
  std::string
      name;  // unique; 1 to 200 of a-z 0-9 '.' '-' '_' and '/', starts and ends alphanumeric
  Origin origin = Origin::kManual;
  std::vector<Target> targets;  // 1 to 1000, sorted, no twins (canonicalise())
  Scope scope;
  Action action = Action::kObserve;
  Mode mode = Mode::kEnforce;
  std::optional<RateLimit> rate_limit;  // exactly with kThrottle
  std::string reply_code;               // empty: 451 or 550; else "4yz"/"5yz" that fits the action
  std::string reply_enhanced;           // empty: x.7.1; else of the same class
  std::string reply_text;               // empty: made from reason, name and end
  std::string reroute_transport;        // exactly with kReroute: a master.cf name [a-z0-9-]+
  int priority = 0;                     // -1000 to 1000; higher is looked at first
  std::optional<TimePoint> starts;      // unset: at once
  std::optional<TimePoint> ends;        // unset: until released
  std::string reason;                   // one line for people, 1 to 500 bytes of UTF-8
  std::string evidence;                 // free text or JSON, at most 64 KiB
  std::uint64_t revision = 0;           // of the store's last change to it; 0: not stored

  bool is_active(TimePoint now) const {
    return (!starts || *starts <= now) && (!ends || now < *ends);
  }
  friend bool operator==(const Mitigation&, const Mitigation&) = default;
};

// Beats every mitigation and is not counted by the detector.
struct Exemption {
  Target target;
  std::string reason;             // as above
  std::optional<TimePoint> ends;  // unset: until removed
  std::uint64_t revision = 0;

  friend bool operator==(const Exemption&, const Exemption&) = default;
};

// Sorts and de-duplicates targets and scope lists: equal mitigations become equal values.
void canonicalise(Mitigation& mitigation);

// First thing wrong with it, as "field: reason"; nullopt if it may be stored.
std::optional<common::Problem> validate(const Mitigation& mitigation);
std::optional<common::Problem> validate(const Exemption& exemption);

}  // namespace ipmit::policy
