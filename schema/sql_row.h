// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/mitigation.h"

namespace ipmit::schema {

// The columns of a stored mitigation in the order in which both stores select them. Views into the
// row; lists are one entry a line.
struct MitigationRow {
  std::string_view name, origin, targets, sender_domains, sasl_users, recipient_domains, action,
      mode;
  std::optional<std::int64_t> rate_limit, rate_period_ms, rate_burst;
  std::string_view rate_unit, rate_per, reply_code, reply_enhanced, reply_text, reroute_transport;
  std::int64_t priority = 0;
  std::optional<std::int64_t> starts_ms, ends_ms;
  std::string_view reason, evidence;
  std::int64_t revision = 0;
};

// Any row with text(column) and integer(column).
template <typename Row>
MitigationRow read_row(const Row& row) {
  return {row.text(0),
          row.text(1),
          row.text(2),
          row.text(3),
          row.text(4),
          row.text(5),
          row.text(6),
          row.text(7),
          row.integer(8),
          row.integer(9),
          row.integer(10),
          row.text(11),
          row.text(12),
          row.text(13),
          row.text(14),
          row.text(15),
          row.text(16),
          row.integer(17).value_or(0),
          row.integer(18),
          row.integer(19),
          row.text(20),
          row.text(21),
          row.integer(22).value_or(0)};
}

// Problem: "column: reason", or what policy::validate() says: somebody else wrote the row.
common::Result<policy::Mitigation> to_mitigation(const MitigationRow& row);
common::Result<policy::Exemption> to_exemption(std::string_view target, std::string_view reason,
                                               std::optional<std::int64_t> ends_ms,
                                               std::int64_t revision);

// One entry a line.
std::string to_lines(const std::vector<policy::DomainPattern>& patterns);
std::string to_lines(const std::vector<policy::SaslUser>& users);

// The canonical texts of every target that is `target` or contains it, `target` first: what to look
// up to find who covers it. At most 128.
std::vector<std::string> covering_targets(const policy::Target& target);

}  // namespace ipmit::schema
