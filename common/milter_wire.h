// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/listen_address.h"

namespace ipmit::common {

// The MTA's side of the milter protocol, version 6, as far as a probe needs it (and the tests,
// which build on this): packets of a 4-byte length in network order, a command byte, data.
struct WirePacket {
  char command = 0;
  std::string data;
};
std::string encode_packet(char command, std::string_view data);

inline constexpr std::uint32_t kPostfixActions = 0x1ff;   // what Postfix 3.7 offers
inline constexpr std::uint32_t kPostfixSteps = 0x1fffff;  // "
std::string negotiation(std::uint32_t actions, std::uint32_t steps, std::uint32_t version = 6);
// `family`: '4', '6', 'L' or 'U' (then port and address are left out).
std::string connect_info(std::string_view host, char family, std::uint16_t port,
                         std::string_view address);

// One connection to a filter. Blocks up to the deadline given; no exceptions. One thread.
class WireClient {
 public:
  WireClient() = default;
  ~WireClient();
  WireClient(WireClient&& other) noexcept;
  WireClient& operator=(WireClient&& other) noexcept;
  WireClient(const WireClient&) = delete;
  WireClient& operator=(const WireClient&) = delete;

  // false: refused, or not taken within the deadline.
  bool connect(const ListenAddress& address, Duration deadline);
  bool send_bytes(std::string_view bytes);
  bool send(char command, std::string_view data);
  // nullopt: closed, an error, or nothing whole within the deadline.
  std::optional<WirePacket> receive(Duration deadline);
  void close();
  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  std::string buffer_;
};

}  // namespace ipmit::common
