// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <sys/socket.h>

#include "common/error.h"

namespace ipmit::common {

// Where Postfix reaches us, in the words of smtpd_milters: "unix:/path", "inet:HOST:PORT" or
// "inet6:[HOST]:PORT" with a numeric host (no names: nothing here waits for DNS). HOST may be left
// out of inet ("inet::8890" or "inet:8890"), which means loopback. Port 0 picks a free one.
struct ListenAddress {
  std::string path;  // of a unix socket; empty: TCP
  sockaddr_storage address{};
  socklen_t length = 0;

  bool is_unix() const { return !path.empty(); }
};

// Problem: unknown type, relative or over-long path (107 bytes, less what a temporary name beside
// it needs), host not numeric, bad port.
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace ipmit::common
