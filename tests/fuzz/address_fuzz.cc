// SPDX-License-Identifier: Apache-2.0
// What clients, logs and people write as an address, domain, target or reply text. Beyond not
// crashing: what parses prints as something that parses to the same value.
#include <cstdint>
#include <string_view>

#include "policy/domain_name.h"
#include "policy/envelope.h"
#include "policy/ip_address.h"
#include "policy/mitigation.h"
#include "policy/smtp_reply.h"
#include "tests/fuzz/require.h"

using namespace ipmit::policy;

namespace {

void check_reply(std::string_view text) {
  const auto half = text.size() / 2;
  for (const auto& reply : {SmtpReply::tempfail(text), SmtpReply::reject(text)}) {
    require(!reply.text().empty() && reply.text().size() <= SmtpReply::kMaxText);
    for (const char c : reply.text()) require(c >= 0x20 && c < 0x7f);
    require(reply.milter_text().size() <= 2 * SmtpReply::kMaxText);
  }
  if (const auto reply =
          SmtpReply::make(text.substr(0, 3), text.substr(0, half), text.substr(half)))
    require(reply->code()[0] == reply->enhanced()[0]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  if (const auto address = IpAddress::parse(text))
    require(IpAddress::parse(address->to_string()) == address);
  if (const auto prefix = IpPrefix::parse(text)) {
    require(*IpPrefix::parse(prefix->to_string()) == *prefix);
    require(prefix->contains(prefix->address()));
  }
  if (const auto domain = DomainName::parse(text)) {
    require(domain->text().size() <= 300);
    require(*DomainName::parse(domain->text()) == *domain);
  }
  if (const auto target = Target::parse(text))
    require(*Target::parse(target->to_string()) == *target);
  const auto address = EnvelopeAddress::parse(text);
  if (!address.domain().empty())
    require(DomainName::parse(address.domain())->text() == address.domain());
  require(!address.is_null() || address.to_string() == "<>");
  check_reply(text);
  return 0;
}
