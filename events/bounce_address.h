// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ipmit::events {

// Mail addresses as they stand in reports: not what RFC 5321 allows, but what an eye takes for one.
// A local part and a domain of letters, digits, '-', '.', '_' around an '@', at most 320 bytes.

struct FoundAddress {
  std::size_t begin = 0, end = 0;  // in the text, brackets and quotes around it included
  std::string address;             // as written, without them
};

// The first address at or behind `from`.
std::optional<FoundAddress> find_address(std::string_view text, std::size_t from = 0);

// The address of a From or To value: the one in angle brackets, else the first; empty if there is
// none.
std::string address_of(std::string_view value);

// The address of a Final-Recipient field ("rfc822;user@example.net"): nothing may stand beside it
// but brackets, quotes, a comment behind and a "type;" in front. Empty otherwise.
std::string address_alone(std::string_view value);

// The same where what stands behind the '@' is no domain ("rfc822;user@#example.net"): a report
// about an address that never was one still names it. Empty where anything else is odd about it.
std::string address_as_written(std::string_view value);

// What stands behind the '@', lower case; empty without one.
std::string domain_of(std::string_view address);
std::string_view local_part_of(std::string_view address);

}  // namespace ipmit::events
