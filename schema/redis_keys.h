// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// The names of everything ipmit keeps in Redis. schema/README.md shows them with redis-cli, with
// their types, who writes and who reads them and when they expire.
namespace ipmit::schema::redis_key {

inline constexpr std::string_view kEpoch = "ipmit:epoch";              // string
inline constexpr std::string_view kRevision = "ipmit:revision";        // string, decimal
inline constexpr std::string_view kRecord = "ipmit:record";            // string: Store::epoch()
inline constexpr std::string_view kChanges = "ipmit:changes";          // stream
inline constexpr std::string_view kMitigations = "ipmit:mitigations";  // sorted set, by revision
inline constexpr std::string_view kExemptions = "ipmit:exemptions";    // sorted set, by revision
inline constexpr std::string_view kMilters = "ipmit:milters";          // sorted set, by last sign
inline constexpr std::string_view kControllers = "ipmit:controllers";  // likewise

inline constexpr std::string_view kHits = "ipmit:hits";                      // hash: name -> count
inline constexpr std::string_view kHitTimes = "ipmit:hits:last";             // hash: name -> ms
inline constexpr std::string_view kTakenHits = "ipmit:hits:taken";           // on their way to the
inline constexpr std::string_view kTakenHitTimes = "ipmit:hits:taken:last";  // store
inline constexpr std::string_view kTakenBatch = "ipmit:hits:taken:batch";    // string: their name

inline constexpr std::string_view kMitigationPrefix = "ipmit:mitigation:";  // + name: hash
inline constexpr std::string_view kExemptionPrefix = "ipmit:exemption:";    // + target: hash
inline constexpr std::string_view kTargetPrefix = "ipmit:target:";  // + target: set of names
inline constexpr std::string_view kMilterPrefix = "ipmit:milter:";  // + id: hash
inline constexpr std::string_view kControllerPrefix = "ipmit:controller:";  // + id: hash
inline constexpr std::string_view kLimitPrefix = "ipmit:limit:";            // + budget: string

inline std::string join(std::string_view prefix, std::string_view rest) {
  return std::string(prefix).append(rest);
}

}  // namespace ipmit::schema::redis_key
