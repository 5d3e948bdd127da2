// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.h"

struct sockaddr;

namespace ipmit::policy {

// An IPv4 or IPv6 address as one canonical key: a v4-mapped IPv6 address (::ffff:203.0.113.9) is
// the IPv4 address. Immutable value; 16 bytes and a flag.
class IpAddress {
 public:
  // Text forms that Postfix, logs and people write: "203.0.113.9", "2001:db8::1",
  // "IPv6:2001:db8::1" (any case of the tag), and each of them in square brackets. Refuses zone
  // ids, leading zeros in IPv4 parts and anything else ("unknown" is std::nullopt too).
  static std::optional<IpAddress> parse(std::string_view text);

  // Null, AF_UNSPEC, AF_UNIX: std::nullopt, which callers treat as "client unknown". The port is
  // ignored. `address` is only read.
  static std::optional<IpAddress> from_sockaddr(const sockaddr* address);

  static IpAddress from_v4(std::array<std::uint8_t, 4> bytes);
  static IpAddress from_v6(std::array<std::uint8_t, 16> bytes);  // mapped becomes v4

  bool is_v4() const { return v4_; }
  bool is_loopback() const;  // 127.0.0.0/8, ::1
  int width() const { return v4_ ? 32 : 128; }

  // IPv4: the address in host byte order. Only for is_v4().
  std::uint32_t v4_value() const;
  // IPv6: upper and lower half in host byte order; IPv4: as ::ffff:a.b.c.d.
  std::uint64_t high() const;
  std::uint64_t low() const;

  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }  // network order, as above

  std::string to_string() const;  // dotted quad, or RFC 5952

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  IpAddress() = default;
  bool v4_ = false;
  std::array<std::uint8_t, 16> bytes_{};  // IPv4 in mapped form
};

// An address range in canonical form: host bits are zero.
class IpPrefix {
 public:
  // "203.0.113.0/24", or an address alone (/32, /128). Set host bits are a Problem that names the
  // range that was probably meant, so is /0 (nobody means the whole internet), as is a bad length.
  static common::Result<IpPrefix> parse(std::string_view text);
  // Cuts `address` to `length` bits; a length above the address's width counts as the width.
  static IpPrefix of(const IpAddress& address, int length);

  const IpAddress& address() const { return address_; }
  int length() const { return length_; }
  bool is_v4() const { return address_.is_v4(); }
  bool contains(const IpAddress& address) const;
  bool contains(const IpPrefix& other) const;
  bool overlaps(const IpPrefix& other) const { return contains(other) || other.contains(*this); }

  std::string to_string() const;  // "203.0.113.9" for a single address, else "203.0.113.0/24"

  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;

 private:
  IpPrefix(const IpAddress& address, int length) : address_(address), length_(length) {}
  IpAddress address_;
  int length_;
};

}  // namespace ipmit::policy
