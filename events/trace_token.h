// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/clock.h"
#include "common/secret_box.h"
#include "policy/ip_address.h"

namespace ipmit::events {

// The header the milter stamps on every accepted message, and by which a DSN or a feedback report
// proves that it is about mail this installation really sent. Its value is an opaque token: only
// holders of the key ring can make one or read it. Whoever received a message can copy its token,
// so a token proves the sending and nothing else: count each one once.
inline constexpr std::string_view kTraceHeader = "X-Ipmit-Trace";

struct TraceFields {
  common::TimePoint time{};                 // when the message was accepted
  std::optional<policy::IpAddress> client;  // unset: unknown (local pickup)
  std::string sasl_user;                    // lower case; empty: not authenticated
  std::string sender_domain;                // canonical; empty: the null sender
  std::string queue_id;

  friend bool operator==(const TraceFields&, const TraceFields&) = default;
};

// One line of base64url, at most kMaxTraceToken characters; fields longer than their limit (user
// 255 bytes, domain 253, queue id 64) are cut. Two calls never give the same token. Thread-safe.
inline constexpr std::size_t kMaxTraceToken = 864;
std::string seal_trace(const common::SecretBox& box, const TraceFields& fields);

// The token as header value for a header named kTraceHeader: no line of the header is longer than
// 78 characters (RFC 5322 section 2.1.1), continued by LF and TAB as a milter must write it.
std::string fold_trace(std::string_view token);

struct TraceExpired {
  TraceFields fields;
};
struct TraceForged {};     // looks like a token, but no key of the ring made it as it is
struct TraceMalformed {};  // not a token
using OpenedTrace = std::variant<TraceFields, TraceExpired, TraceForged, TraceMalformed>;

// `header_value` as found in a mail: blanks, CR and LF anywhere are ignored, so any refolding is
// undone. Expired: now - time > lifetime. A time to come is accepted: only a clock of ours can have
// written it. Never throws on any input; work is bounded by kMaxTraceToken.
OpenedTrace open_trace(const common::SecretBox& box, std::string_view header_value,
                       common::TimePoint now, common::Duration lifetime);

}  // namespace ipmit::events
