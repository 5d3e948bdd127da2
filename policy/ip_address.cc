// SPDX-License-Identifier: Apache-2.0
#include "policy/ip_address.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "policy/text.h"

namespace ipmit::policy {
namespace {

using common::Problem;
using common::Result;
using Bytes = std::array<std::uint8_t, 16>;

constexpr std::string_view kTag = "ipv6:";
constexpr int kMappedBits = 96;  // of ::ffff:0:0/96

bool is_mapped(const Bytes& bytes) {
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t b) { return b == 0; }) &&
         bytes[10] == 0xff && bytes[11] == 0xff;
}

std::uint64_t big_endian(const std::uint8_t* bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return be64toh(value);
}

// inet_pton(3) is strict enough: no zone ids, no leading zeros, no short forms.
bool to_bytes(int family, std::string_view text, void* out) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) return false;
  terminated[text.copy(terminated, text.size())] = '\0';
  return inet_pton(family, terminated, out) == 1;
}

// RFC 5952 section 4: no leading zeros, lower case, "::" for the longest run of two or more groups
// of zero, the first of equals. Returns the end; `out` has room for 39 characters.
char* v6_text(const Bytes& bytes, char* out) {
  std::array<unsigned, 8> groups;
  for (std::size_t i = 0; i < groups.size(); ++i)
    groups[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  std::size_t gap = groups.size(), gap_length = 1;
  for (std::size_t i = 0, run = 0; i < groups.size(); ++i) {
    run = groups[i] == 0 ? run + 1 : 0;
    if (run <= gap_length) continue;
    gap_length = run;
    gap = i + 1 - run;
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i == gap) {
      *out++ = ':';
      i += gap_length - 1;
      if (i + 1 == groups.size()) *out++ = ':';
      continue;
    }
    if (i > 0) *out++ = ':';
    out = std::to_chars(out, out + 4, groups[i], 16).ptr;
  }
  return out;
}

std::string_view without_brackets(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
    return text.substr(1, text.size() - 2);
  return text;
}

// Whether the first `length` bits are the same.
bool same_bits(const IpAddress& a, const IpAddress& b, int length) {
  if (a.is_v4()) {
    if (length == 0) return true;
    return (a.v4_value() ^ b.v4_value()) >> (32 - length) == 0;
  }
  const std::uint64_t high = a.high() ^ b.high();
  if (length <= 64) return length == 0 || high >> (64 - length) == 0;
  return high == 0 && (a.low() ^ b.low()) >> (128 - length) == 0;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  text = without_brackets(text);
  const bool tagged = equals_ignoring_case(text.substr(0, kTag.size()), kTag);
  if (tagged) text.remove_prefix(kTag.size());
  if (text.find(':') != std::string_view::npos) {
    Bytes bytes;
    if (!to_bytes(AF_INET6, text, bytes.data())) return std::nullopt;
    return from_v6(bytes);
  }
  std::array<std::uint8_t, 4> bytes;
  if (tagged || !to_bytes(AF_INET, text, bytes.data())) return std::nullopt;
  return from_v4(bytes);
}

std::optional<IpAddress> IpAddress::from_sockaddr(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    std::array<std::uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
    return from_v4(bytes);
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, address, sizeof in6);
    Bytes bytes;
    std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
    return from_v6(bytes);
  }
  return std::nullopt;
}

IpAddress IpAddress::from_v4(std::array<std::uint8_t, 4> bytes) {
  IpAddress address;
  address.v4_ = true;
  address.bytes_[10] = address.bytes_[11] = 0xff;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin() + 12);
  return address;
}

IpAddress IpAddress::from_v6(std::array<std::uint8_t, 16> bytes) {
  IpAddress address;
  address.v4_ = is_mapped(bytes);
  address.bytes_ = bytes;
  return address;
}

bool IpAddress::is_loopback() const {
  return v4_ ? bytes_[12] == 127 : high() == 0 && low() == 1;
}

std::uint32_t IpAddress::v4_value() const {
  return static_cast<std::uint32_t>(low());
}

std::uint64_t IpAddress::high() const {
  return big_endian(bytes_.data());
}

std::uint64_t IpAddress::low() const {
  return big_endian(bytes_.data() + 8);
}

// By hand, not by inet_ntop(3), which takes a microsecond: these texts are parts of limiter keys.
std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  if (!v4_) return {text, v6_text(bytes_, text)};
  char* end = text;
  for (std::size_t i = 12; i < bytes_.size(); ++i) {
    if (i > 12) *end++ = '.';
    end = std::to_chars(end, std::end(text), bytes_[i]).ptr;
  }
  return {text, end};
}

Result<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::string quoted = '"' + std::string(text.substr(0, 60)) + '"';
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const std::optional<IpAddress> address = IpAddress::parse(host);
  if (!address) return Problem{quoted + " is not an IP address or range"};
  if (slash == std::string_view::npos) return IpPrefix(*address, address->width());

  const std::string_view digits = text.substr(slash + 1);
  int length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const bool number = error == std::errc() && end == digits.data() + digits.size() &&
                      is_digit(digits.front()) && (digits.front() != '0' || digits.size() == 1);
  const bool mapped = address->is_v4() && host.find(':') != std::string_view::npos;
  if (mapped) length -= kMappedBits;
  if (!number || length < 0 || length > address->width())
    return Problem{quoted + ": the length must be a number from 1 to " +
                   std::to_string(address->width() + (mapped ? kMappedBits : 0))};
  if (length == 0) return Problem{quoted + ": this is every address there is"};
  const IpPrefix prefix = of(*address, length);
  if (prefix.address() != *address)
    return Problem{quoted + ": host bits set, did you mean " + prefix.to_string() + "?"};
  return prefix;
}

IpPrefix IpPrefix::of(const IpAddress& address, int length) {
  length = std::clamp(length, 0, address.width());
  Bytes bytes = address.bytes();
  int left = address.is_v4() ? kMappedBits + length : length;
  for (std::uint8_t& byte : bytes) {
    if (left < 8) byte &= static_cast<std::uint8_t>(0xff00 >> std::max(left, 0));
    left -= 8;
  }
  // Cutting never makes an IPv6 address a mapped one: that has ones in bits 80 to 95, and clearing
  // bits below those makes no ones.
  return IpPrefix(IpAddress::from_v6(bytes), length);
}

bool IpPrefix::contains(const IpAddress& address) const {
  return address.is_v4() == is_v4() && same_bits(address_, address, length_);
}

bool IpPrefix::contains(const IpPrefix& other) const {
  return other.length() >= length_ && contains(other.address());
}

std::string IpPrefix::to_string() const {
  std::string text = address_.to_string();
  if (length_ != address_.width()) text += '/' + std::to_string(length_);
  return text;
}

}  // namespace ipmit::policy
