// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/socket_io.h"

namespace ipmit::test {

// A next hop that takes every message and keeps it: an SMTP server on a free loopback port, a
// thread a connection. All members may be called from any thread.
class SmtpSink {
 public:
  struct Message {
    std::string sender;  // without the angle brackets
    std::vector<std::string> recipients;
    std::string text;  // lines end with LF; dots unstuffed

    // The value of the first header of that name, unfolded; nullopt if there is none.
    std::optional<std::string> header(std::string_view name) const;
    // How many headers of that name stand in the top header block.
    std::size_t count_headers(std::string_view name) const;
    std::string body() const;
  };

  SmtpSink();
  ~SmtpSink();

  std::uint16_t port() const { return port_; }
  std::vector<Message> messages() const;
  // The first message that came since the start and whose text contains `mark`.
  std::optional<Message> find(std::string_view mark) const;
  std::optional<Message> wait_for(std::string_view mark,
                                  std::chrono::milliseconds deadline = kPatience) const;
  // Answers every RCPT with this line from now on; empty: takes them again.
  void refuse_recipients(std::string reply);

 private:
  void accept_loop();
  void serve(LineSocket& socket);
  bool receive_message(LineSocket& socket, Message message);

  std::uint16_t port_;
  int listener_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<Message> messages_;    // guarded by mutex_
  std::string refusal_;              // guarded by mutex_
  std::list<LineSocket> sockets_;    // guarded by mutex_; nodes stay until the end
  std::list<std::thread> sessions_;  // belongs to the acceptor until it has ended
  std::thread acceptor_;
};

}  // namespace ipmit::test
