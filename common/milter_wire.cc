// SPDX-License-Identifier: Apache-2.0
#include "common/milter_wire.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

namespace ipmit::common {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kLengthBytes = 4;
constexpr std::uint32_t kMostPacket = 1U << 20U;

std::string network_order(std::uint32_t value) {
  const std::uint32_t swapped = htonl(value);
  std::string bytes(sizeof swapped, '\0');
  std::memcpy(bytes.data(), &swapped, sizeof swapped);
  return bytes;
}

std::uint32_t host_order(std::string_view bytes) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return ntohl(value);
}

// Milliseconds until `end` for poll(), at least 0.
int left_until(SteadyClock::time_point end) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - SteadyClock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

bool wait_for(int fd, short events, SteadyClock::time_point end) {
  pollfd waiting{fd, events, 0};
  for (;;) {
    const int ready = poll(&waiting, 1, left_until(end));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace

std::string encode_packet(char command, std::string_view data) {
  std::string packet = network_order(static_cast<std::uint32_t>(data.size() + 1));
  packet += command;
  packet += data;
  return packet;
}

std::string negotiation(std::uint32_t actions, std::uint32_t steps, std::uint32_t version) {
  return network_order(version) + network_order(actions) + network_order(steps);
}

std::string connect_info(std::string_view host, char family, std::uint16_t port,
                         std::string_view address) {
  std::string data(host);
  data += '\0';
  data += family;
  if (family == 'U') return data;
  data += static_cast<char>(port >> 8U);
  data += static_cast<char>(port & 0xffU);
  data += address;
  data += '\0';
  return data;
}

WireClient::~WireClient() {
  close();
}

WireClient::WireClient(WireClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}

WireClient& WireClient::operator=(WireClient&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    buffer_ = std::move(other.buffer_);
  }
  return *this;
}

bool WireClient::connect(const ListenAddress& address, Duration deadline) {
  close();
  const auto end = SteadyClock::now() + deadline;
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  address.path.copy(un.sun_path, sizeof un.sun_path - 1);
  const auto* name = address.is_unix() ? reinterpret_cast<const sockaddr*>(&un)
                                       : reinterpret_cast<const sockaddr*>(&address.address);
  const socklen_t length = address.is_unix() ? socklen_t{sizeof un} : address.length;
  fd_ = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return false;
  while (::connect(fd_, name, length) != 0) {
    if (errno == EINPROGRESS) {
      int error = 0;
      socklen_t size = sizeof error;
      if (wait_for(fd_, POLLOUT, end) &&
          getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0) {
        break;
      }
      close();
      return false;
    }
    // A unix socket with a full backlog: there is nothing to wait on but time.
    if (errno != EAGAIN || left_until(end) == 0) {
      close();
      return false;
    }
    poll(nullptr, 0, 10);
  }
  return true;
}

bool WireClient::send_bytes(std::string_view bytes) {
  const auto end = SteadyClock::now() + std::chrono::seconds(5);
  while (!bytes.empty() && fd_ >= 0) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if ((errno != EAGAIN && errno != EINTR) || !wait_for(fd_, POLLOUT, end)) {
      return false;
    }
  }
  return bytes.empty();
}

bool WireClient::send(char command, std::string_view data) {
  return send_bytes(encode_packet(command, data));
}

std::optional<WirePacket> WireClient::receive(Duration deadline) {
  const auto end = SteadyClock::now() + deadline;
  for (;;) {
    if (buffer_.size() > kLengthBytes) {
      const std::uint32_t length = host_order(buffer_);
      if (length == 0 || length > kMostPacket) return std::nullopt;
      if (buffer_.size() >= kLengthBytes + length) {
        WirePacket packet{buffer_[kLengthBytes], buffer_.substr(kLengthBytes + 1, length - 1)};
        buffer_.erase(0, kLengthBytes + length);
        return packet;
      }
    }
    std::array<char, 4096> chunk{};
    const ssize_t got = fd_ < 0 ? 0 : ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (got > 0) {
      buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR) || !wait_for(fd_, POLLIN, end)) {
      return std::nullopt;
    }
  }
}

void WireClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  buffer_.clear();
}

}  // namespace ipmit::common
