// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "schema/findings.h"

// What a row of `findings` or `evidence` says, whichever server it is from. Row: text(column) and
// number(column) of its columns in the order of the members, times in milliseconds since 1970.
namespace ipmit::schema {

inline constexpr std::size_t kMostSummary = 500;  // bytes; the rest is cut

inline TimePoint time_of_ms(std::int64_t ms) {
  return TimePoint(common::Duration(ms));
}

template <typename Row>
Finding to_finding(const Row& row) {
  return {std::string(row.text(0)),
          time_of_ms(row.number(1)),
          std::string(row.text(2)),
          std::string(row.text(3)),
          static_cast<std::uint64_t>(row.number(4)),
          time_of_ms(row.number(5)),
          time_of_ms(row.number(6)),
          std::string(row.text(7)),
          std::string(row.text(8))};
}

template <typename Row>
Evidence to_evidence(const Row& row) {
  const auto kind = parse_evidence_kind(row.text(2));
  return {std::string(row.text(0)), time_of_ms(row.number(1)),
          kind.value_or(Evidence::Kind::kDelivery), std::string(row.text(3))};
}

}  // namespace ipmit::schema
