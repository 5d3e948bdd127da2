// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// A connected TCP socket read line by line, as SMTP needs it. Owns the descriptor; one thread, but
// shut() may be called by another to wake it up.
namespace ipmit::test {

class LineSocket {
 public:
  explicit LineSocket(int fd) : fd_(fd) {}
  ~LineSocket();
  LineSocket(LineSocket&& other) noexcept;
  LineSocket& operator=(LineSocket&& other) noexcept;

  // Throws std::runtime_error when nobody listens there. `address` is numeric.
  static LineSocket connect(const std::string& address, std::uint16_t port);

  // One line without its CR LF; nullopt at the end of the stream or after `deadline` of silence.
  std::optional<std::string> read_line(std::chrono::milliseconds deadline);
  // Exactly `count` bytes, else nullopt.
  std::optional<std::string> read_bytes(std::size_t count, std::chrono::milliseconds deadline);
  bool write(std::string_view bytes);  // false: the peer is gone
  void shut() const;
  // Ends the connection with a reset instead of a FIN.
  void reset();

 private:
  bool fill(std::chrono::milliseconds deadline);
  int fd_;
  std::string buffer_;
};

// A listening socket on 127.0.0.1.
int listen_on(std::uint16_t port);

}  // namespace ipmit::test
