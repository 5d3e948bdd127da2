// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

// The statements on mitigations that name every column; the order is that of sql_row.h.
namespace ipmit::schema::postgres_columns {

inline constexpr char kBeforeEvidence[] =
    "SELECT name, origin, array_to_string(targets, E'\n'), array_to_string(sender_domains, E'\n'), "
    "array_to_string(sasl_users, E'\n'), array_to_string(recipient_domains, E'\n'), action, mode, "
    "rate_limit, (extract(epoch FROM rate_period) * 1000)::bigint, rate_burst, rate_unit, "
    "rate_per, reply_code, reply_enhanced, reply_text, reroute_transport, priority, "
    "(extract(epoch FROM starts) * 1000)::bigint, (extract(epoch FROM ends) * 1000)::bigint, "
    "reason, ";
inline constexpr char kAfterEvidence[] = ", revision FROM ipmit.mitigations ";

inline const std::string kSelect = std::string(kBeforeEvidence) + "evidence" + kAfterEvidence;
// Evidence decides nothing and may be large.
inline const std::string kLoad = std::string(kBeforeEvidence) + "''" + kAfterEvidence;

inline constexpr char kSelectExemptions[] =
    "SELECT target, reason, (extract(epoch FROM ends) * 1000)::bigint, revision "
    "FROM ipmit.exemptions ";

// Both give back the revision.
inline constexpr char kInsert[] =
    "INSERT INTO ipmit.mitigations (name, origin, targets, sender_domains, sasl_users, "
    "recipient_domains, action, mode, rate_limit, rate_period, rate_burst, rate_unit, rate_per, "
    "reply_code, reply_enhanced, reply_text, reroute_transport, priority, starts, ends, reason, "
    "evidence) VALUES ($1, $2, string_to_array($3, E'\n'), string_to_array($4, E'\n'), "
    "string_to_array($5, E'\n'), string_to_array($6, E'\n'), $7, $8, $9::bigint, "
    "$10::bigint * interval '1 millisecond', $11::bigint, $12, $13, $14, $15, $16, $17, "
    "$18::integer, $19::timestamptz, $20::timestamptz, $21, $22) RETURNING revision";
inline constexpr char kUpdate[] =
    "UPDATE ipmit.mitigations SET origin = $2, targets = string_to_array($3, E'\n'), "
    "sender_domains = string_to_array($4, E'\n'), sasl_users = string_to_array($5, E'\n'), "
    "recipient_domains = string_to_array($6, E'\n'), action = $7, mode = $8, "
    "rate_limit = $9::bigint, rate_period = $10::bigint * interval '1 millisecond', "
    "rate_burst = $11::bigint, rate_unit = $12, rate_per = $13, reply_code = $14, "
    "reply_enhanced = $15, reply_text = $16, reroute_transport = $17, priority = $18::integer, "
    "starts = $19::timestamptz, ends = $20::timestamptz, reason = $21, evidence = $22 "
    "WHERE name = $1 RETURNING revision";

}  // namespace ipmit::schema::postgres_columns
