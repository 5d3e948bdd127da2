// SPDX-License-Identifier: Apache-2.0
// The text checks of setting_value.h.
#include <algorithm>
#include <charconv>

#include "common/listen_address.h"
#include "conf/setting_value.h"

namespace ipmit::conf {
namespace {

using common::Problem;

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

bool starts_with(std::string_view text, std::string_view beginning) {
  return text.substr(0, beginning.size()) == beginning;
}

std::optional<Problem> check_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error == std::errc{} && end == text.data() + text.size() && !text.empty() && port <= 65535)
    return std::nullopt;
  return Problem{quoted(text) + " is no port (0 to 65535)"};
}

// "HOST:PORT" or "[HOST]:PORT". Names are refused: nothing here waits for DNS.
std::optional<Problem> check_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return Problem{"wants HOST:PORT such as 127.0.0.1:9471, has " + quoted(text)};
  const std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const auto address = policy::IpAddress::parse(host);
  if (!address)
    return Problem{quoted(host) + " is no numeric address (names are not looked up here)"};
  if (!address->is_v4() && !bracketed)
    return Problem{"an IPv6 address stands in brackets: [" + std::string(host) +
                   "]:" + std::string(text.substr(colon + 1))};
  return check_port(text.substr(colon + 1));
}

std::optional<Problem> check_name(std::string_view text, std::string_view allowed,
                                  std::string_view what) {
  if (!text.empty() && text.size() <= 64 &&
      text.find_first_not_of(allowed) == std::string_view::npos)
    return std::nullopt;
  return Problem{quoted(text) + " is no " + std::string(what)};
}

}  // namespace

TextCheck absolute_path(bool may_be_empty) {
  return [may_be_empty](std::string_view text) -> std::optional<Problem> {
    if (text.empty() && may_be_empty) return std::nullopt;
    if (!starts_with(text, "/")) return Problem{"wants an absolute path, has " + quoted(text)};
    if (text.find('\0') != std::string_view::npos || text.size() > 4000)
      return Problem{"is no path"};
    return std::nullopt;
  };
}

TextCheck listen_endpoint() {
  return [](std::string_view text) -> std::optional<Problem> {
    return text.empty() ? std::nullopt : check_endpoint(text);
  };
}

TextCheck milter_socket() {
  return [](std::string_view text) -> std::optional<Problem> {
    const auto address = common::parse_listen_address(text);
    if (address) return std::nullopt;
    return Problem{address.problem()};
  };
}

TextCheck url_of(std::vector<std::string> beginnings, bool may_be_empty) {
  return [beginnings = std::move(beginnings),
          may_be_empty](std::string_view text) -> std::optional<Problem> {
    if (text.empty() && may_be_empty) return std::nullopt;
    for (const std::string& beginning : beginnings)
      if (starts_with(text, beginning) && text.size() > beginning.size()) return std::nullopt;
    std::string wanted;
    for (const std::string& beginning : beginnings)
      wanted += (wanted.empty() ? "" : " or ") + beginning + "...";
    return Problem{"wants " + wanted + ", has " + quoted(text)};
  };
}

TextCheck group_name() {
  return [](std::string_view text) -> std::optional<Problem> {
    if (text.empty()) return std::nullopt;
    return check_name(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
                      "group name");
  };
}

TextCheck transport_name() {
  return [](std::string_view text) {
    return check_name(text, "abcdefghijklmnopqrstuvwxyz0123456789-",
                      "transport name of master.cf (a-z, 0-9 and '-')");
  };
}

}  // namespace ipmit::conf
