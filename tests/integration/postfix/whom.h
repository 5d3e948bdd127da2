// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "tests/integration/postfix/mail_host.h"

namespace ipmit::test {

// A target of a mitigation, somebody it is about, and somebody next to it whom it must leave alone.
struct Whom {
  const char* name;
  const char* target;
  const char* address = "192.0.2.1";  // as XCLIENT wants it
  const char* user = "";              // non-empty: by SASL on the submission port, from 127.0.0.1
  const char* sender = "a@example.com";
  const char* other_address = "192.0.2.1";
  const char* other_user = "";
  const char* other_sender = "a@example.com";
};
inline void PrintTo(const Whom& whom, std::ostream* out) {
  *out << whom.name;
}

inline constexpr Whom kWhom[] = {
    {.name = "Address",
     .target = "203.0.113.9",
     .address = "203.0.113.9",
     .other_address = "203.0.113.10"},
    {.name = "Prefix24",
     .target = "203.0.113.0/24",
     .address = "203.0.113.255",
     .other_address = "203.0.114.0"},
    {.name = "Prefix64",
     .target = "2001:db8:1:2::/64",
     .address = "IPV6:2001:db8:1:2:ffff::7",
     .other_address = "IPV6:2001:db8:1:3::7"},
    {.name = "User",
     .target = "user:alice@example.com",
     .user = "alice@example.com",
     .other_user = "bob@example.com"},
    {.name = "SenderDomain",
     .target = "domain:news.example.com",
     .sender = "a@News.Example.COM",
     .other_sender = "a@news2.example.com"},
};

class WhomHost : public MailHost {
 protected:
  std::unique_ptr<SmtpClient> open_session(const Whom& whom) const {
    return *whom.user != '\0' ? user(whom.user) : client_at(whom.address);
  }
  std::unique_ptr<SmtpClient> open_other(const Whom& whom) const {
    return *whom.other_user != '\0' ? user(whom.other_user) : client_at(whom.other_address);
  }
};

}  // namespace ipmit::test
