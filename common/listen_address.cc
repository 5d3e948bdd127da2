// SPDX-License-Identifier: Apache-2.0
#include "common/listen_address.h"

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace ipmit::common {
namespace {

// ".4194304.new" is the longest temporary name (pid_max).
constexpr std::size_t kTemporaryName = 12;
constexpr std::size_t kMostPath = sizeof(sockaddr_un::sun_path) - 1;

Result<ListenAddress> parse_unix(std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return Problem{"socket path must be absolute, as in unix:/run/ipmit/milter.sock"};
  }
  const std::size_t slash = path.rfind('/');
  if (slash + 1 == path.size()) return Problem{"socket path is a directory"};
  if (path.size() > kMostPath || slash + 1 + kTemporaryName > kMostPath) {
    return Problem{"socket path is too long: " + std::to_string(path.size()) +
                   " bytes, the system takes 107 and its directory at most 94"};
  }
  ListenAddress result;
  result.path = path;
  return result;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

Result<ListenAddress> parse_inet(std::string_view rest, bool v6) {
  const std::size_t colon = rest.rfind(':');
  const std::string_view port_text = rest.substr(colon == rest.npos ? 0 : colon + 1);
  std::string host(colon == rest.npos ? std::string_view{} : rest.substr(0, colon));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const auto port = parse_port(port_text);
  if (!port) return Problem{"'" + std::string(port_text) + "' is not a port number"};
  ListenAddress result;
  int parsed = 0;
  if (v6) {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(*port);
    parsed = inet_pton(AF_INET6, host.empty() ? "::1" : host.c_str(), &in6.sin6_addr);
    std::memcpy(&result.address, &in6, sizeof in6);
    result.length = sizeof in6;
  } else {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(*port);
    parsed = inet_pton(AF_INET, host.empty() ? "127.0.0.1" : host.c_str(), &in.sin_addr);
    std::memcpy(&result.address, &in, sizeof in);
    result.length = sizeof in;
  }
  if (parsed != 1) {
    return Problem{"'" + host + "' is not a numeric " + (v6 ? "IPv6" : "IPv4") + " address"};
  }
  return result;
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view type = text.substr(0, colon);
  if (colon != text.npos) {
    const std::string_view rest = text.substr(colon + 1);
    if (type == "unix" || type == "local") return parse_unix(rest);
    if (type == "inet") return parse_inet(rest, false);
    if (type == "inet6") return parse_inet(rest, true);
  }
  return Problem{"'" + std::string(text) +
                 "' is not unix:/path, inet:host:port or inet6:[host]:port"};
}

}  // namespace ipmit::common
