// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_url.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace ipmit::schema {
namespace {

using common::Problem;
using common::Result;

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_' || c == ':' || c == '%';
}

Result<RedisUrl::Host> parse_host(std::string_view text, std::uint16_t default_port) {
  RedisUrl::Host host;
  host.port = default_port;
  std::string_view port;
  if (take_prefix(text, "[")) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return Problem{"'[' without ']' in the host"};
    host.name = text.substr(0, end);
    port = text.substr(end + 1);
  } else {
    const std::size_t colon = text.find(':');
    if (colon != text.rfind(':')) return Problem{"write an IPv6 address in brackets"};
    host.name = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (host.name.empty()) return Problem{"no host"};
  if (!std::all_of(host.name.begin(), host.name.end(), is_host_char))
    return Problem{"bad host \"" + host.name + "\""};
  if (port.empty()) return host;
  const auto number = parse_number<std::uint16_t>(port.substr(1));
  if (port.front() != ':' || !number || *number == 0)
    return Problem{"bad port \"" + std::string(port) + "\""};
  host.port = *number;
  return host;
}

std::optional<Problem> set_database(RedisUrl& url, std::string_view text) {
  const auto number = parse_number<std::uint32_t>(text);
  if (!number) return Problem{"bad database number \"" + std::string(text) + "\""};
  url.database = *number;
  return std::nullopt;
}

std::optional<Problem> set_hosts(RedisUrl& url, std::string_view list, std::uint16_t port) {
  for (;;) {
    const std::size_t comma = list.find(',');
    auto host = parse_host(list.substr(0, comma), port);
    if (!host) return Problem{host.problem()};
    url.hosts.push_back(*host);
    if (comma == std::string_view::npos) return std::nullopt;
    list.remove_prefix(comma + 1);
  }
}

std::optional<Problem> parse_unix(RedisUrl& url, std::string_view rest) {
  const std::size_t question = rest.find('?');
  url.path = rest.substr(0, question);
  if (url.path.empty() || url.path.front() != '/')
    return Problem{"write the socket as redis+unix:///absolute/path"};
  if (question == std::string_view::npos) return std::nullopt;
  std::string_view query = rest.substr(question + 1);
  if (!take_prefix(query, "db="))
    return Problem{"unknown option \"" + std::string(query) + "\"; only db=NUMBER"};
  return set_database(url, query);
}

std::optional<Problem> parse_tcp(RedisUrl& url, std::string_view rest) {
  const std::size_t slash = rest.find('/');
  if (rest.substr(0, slash).find(',') != std::string_view::npos)
    return Problem{"several hosts need redis+sentinel://HOST,HOST/MASTER-NAME"};
  if (auto problem = set_hosts(url, rest.substr(0, slash), 6379)) return problem;
  if (slash == std::string_view::npos || slash + 1 == rest.size()) return std::nullopt;
  return set_database(url, rest.substr(slash + 1));
}

std::optional<Problem> parse_sentinel(RedisUrl& url, std::string_view rest) {
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos)
    return Problem{"no master name; write redis+sentinel://HOST,HOST/MASTER-NAME"};
  if (auto problem = set_hosts(url, rest.substr(0, slash), 26379)) return problem;
  std::string_view name = rest.substr(slash + 1);
  const std::size_t end = name.find('/');
  url.master = name.substr(0, end);
  if (url.master.empty())
    return Problem{"no master name; write redis+sentinel://HOST,HOST/MASTER-NAME"};
  if (end == std::string_view::npos) return std::nullopt;
  return set_database(url, name.substr(end + 1));
}

}  // namespace

Result<RedisUrl> parse_redis_url(std::string_view text) {
  RedisUrl url;
  std::string_view rest = text;
  std::optional<Problem> (*parse)(RedisUrl&, std::string_view) = nullptr;
  if (take_prefix(rest, "redis+unix://")) {
    url.kind = RedisUrl::Kind::kUnix;
    parse = parse_unix;
  } else if (take_prefix(rest, "redis+sentinel://")) {
    url.kind = RedisUrl::Kind::kSentinel;
    parse = parse_sentinel;
  } else if (take_prefix(rest, "redis://")) {
    parse = parse_tcp;
  } else if (take_prefix(rest, "rediss://")) {
    return Problem{
        "rediss:// (TLS) cannot be spoken by hiredis 0.14 of Debian 12; use a unix socket, or "
        "redis:// to a local TLS tunnel (stunnel)"};
  } else {
    return Problem{"expected redis://, redis+unix:// or redis+sentinel://"};
  }

  const std::size_t at = rest.substr(0, rest.find('/')).find('@');
  if (at != std::string_view::npos) {
    url.user = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    if (url.user.find(':') != std::string::npos)
      return Problem{"a password does not belong in the URL; put it into the password file"};
    if (url.user.empty()) return Problem{"no user before '@'"};
  }
  if (auto problem = parse(url, rest)) return *problem;
  return url;
}

std::string RedisUrl::to_string() const {
  std::string text = kind == Kind::kUnix       ? "redis+unix://"
                     : kind == Kind::kSentinel ? "redis+sentinel://"
                                               : "redis://";
  if (!user.empty()) text += user + "@";
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const bool v6 = hosts[i].name.find(':') != std::string::npos;
    if (i > 0) text += ",";
    text += v6 ? "[" + hosts[i].name + "]" : hosts[i].name;
    text += ":" + std::to_string(hosts[i].port);
  }
  text += path;
  if (kind == Kind::kSentinel) text += "/" + master;
  if (database != 0) text += (kind == Kind::kUnix ? "?db=" : "/") + std::to_string(database);
  return text;
}

}  // namespace ipmit::schema
