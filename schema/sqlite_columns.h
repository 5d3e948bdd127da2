// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

// The statements on mitigations that name every column; the order is that of sql_row.h, then the
// id.
namespace ipmit::schema::sqlite_columns {

inline constexpr char kBeforeEvidence[] =
    "SELECT name, origin, "
    "(SELECT group_concat(target, char(10)) FROM targets WHERE mitigation = mitigations.id), "
    "sender_domains, sasl_users, recipient_domains, action, mode, rate_limit, rate_period_ms, "
    "rate_burst, rate_unit, rate_per, reply_code, reply_enhanced, reply_text, reroute_transport, "
    "priority, starts_ms, ends_ms, reason, ";
inline constexpr char kAfterEvidence[] = ", revision, id FROM mitigations ";
inline constexpr int kId = 23;

inline const std::string kSelect = std::string(kBeforeEvidence) + "evidence" + kAfterEvidence;
// Evidence decides nothing and may be large.
inline const std::string kLoad = std::string(kBeforeEvidence) + "''" + kAfterEvidence;

// Gives back the id.
inline constexpr char kPut[] =
    "INSERT INTO mitigations (name, origin, sender_domains, sasl_users, recipient_domains, action, "
    "mode, rate_limit, rate_period_ms, rate_burst, rate_unit, rate_per, reply_code, "
    "reply_enhanced, reply_text, reroute_transport, priority, starts_ms, ends_ms, reason, "
    "evidence, "
    "revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
    "?18, ?19, ?20, ?21, ?22) ON CONFLICT (name) DO UPDATE SET origin = excluded.origin, "
    "sender_domains = excluded.sender_domains, sasl_users = excluded.sasl_users, "
    "recipient_domains = excluded.recipient_domains, action = excluded.action, "
    "mode = excluded.mode, rate_limit = excluded.rate_limit, "
    "rate_period_ms = excluded.rate_period_ms, rate_burst = excluded.rate_burst, "
    "rate_unit = excluded.rate_unit, rate_per = excluded.rate_per, "
    "reply_code = excluded.reply_code, reply_enhanced = excluded.reply_enhanced, "
    "reply_text = excluded.reply_text, reroute_transport = excluded.reroute_transport, "
    "priority = excluded.priority, starts_ms = excluded.starts_ms, ends_ms = excluded.ends_ms, "
    "reason = excluded.reason, evidence = excluded.evidence, revision = excluded.revision "
    "RETURNING id";

}  // namespace ipmit::schema::sqlite_columns
