// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"

namespace ipmit::schema {

// Where Redis is, as one line of configuration:
//   redis://[USER@]HOST[:PORT][/DB]                         one server; port 6379, database 0
//   redis+unix://[USER@]/PATH[?db=DB]                       the same by a unix socket
//   redis+sentinel://[USER@]HOST[:PORT][,HOST[:PORT]…]/NAME[/DB]   the master that the Sentinels
//                                                           (port 26379) call NAME
// IPv6 addresses stand in brackets. USER is an ACL user; its password comes from a file, never from
// here.
struct RedisUrl {
  enum class Kind { kTcp, kUnix, kSentinel };
  struct Host {
    std::string name;
    std::uint16_t port = 0;
    std::string to_text() const { return name + ":" + std::to_string(port); }
    friend bool operator==(const Host&, const Host&) = default;
  };

  Kind kind = Kind::kTcp;
  std::string user;
  std::vector<Host> hosts;  // kTcp: one; kSentinel: the Sentinels; kUnix: none
  std::string path;         // kUnix
  std::string master;       // kSentinel
  std::uint32_t database = 0;

  std::string to_string() const;
  friend bool operator==(const RedisUrl&, const RedisUrl&) = default;
};

// Problem: what is wrong and what to write instead; also rediss:// (TLS), which the hiredis of
// Debian 12 (0.14) cannot speak.
common::Result<RedisUrl> parse_redis_url(std::string_view text);

}  // namespace ipmit::schema
