// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace ipmit::cli {

// A TCP connection that speaks in lines, enough for a word with our own daemons and an SMTP server
// on this host. Blocks up to the deadlines given; no exceptions. One thread.
class LineClient {
 public:
  LineClient() = default;
  ~LineClient();
  LineClient(const LineClient&) = delete;
  LineClient& operator=(const LineClient&) = delete;

  // `endpoint`: "127.0.0.1:25", "[::1]:25". false: refused, or not taken in time.
  bool connect(const std::string& endpoint, common::Duration deadline);
  bool send_bytes(std::string_view bytes);
  bool send_line(std::string_view line) { return send_bytes(std::string(line) + "\r\n"); }
  // The last line of an SMTP reply without its line end; empty: none in time.
  std::string read_reply(common::Duration deadline);
  // All until the peer closes, at most 16 MiB; nullopt: not in time.
  std::optional<std::string> read_all(common::Duration deadline);

 private:
  std::optional<std::string> read_line(common::Duration deadline);
  // 1: something came, 0: the peer closed, -1: nothing in time.
  int receive(common::Duration deadline);

  int fd_ = -1;
  std::string buffer_;
};

struct HttpReply {
  int status = 0;
  std::string body;
};
// One HTTP/1.1 request to a numeric address; nullopt: no whole reply in time.
std::optional<HttpReply> http_request(const std::string& endpoint, std::string_view method,
                                      std::string_view path, common::Duration deadline);

}  // namespace ipmit::cli
