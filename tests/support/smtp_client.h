// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/socket_io.h"

namespace ipmit::test {

// What a server answered to one command. code 0: it closed the connection or said nothing in time.
struct SmtpReply {
  int code = 0;
  std::string text;  // "451 4.7.1 …", lines of a longer reply joined by LF

  bool starts_with(std::string_view start) const { return text.starts_with(start); }
  bool contains(std::string_view part) const { return text.find(part) != std::string::npos; }
  // The queue id in "250 2.0.0 Ok: queued as ID"; empty in other replies.
  std::string queue_id() const;
};
std::ostream& operator<<(std::ostream& out, const SmtpReply& reply);

// An SMTP client that does what it is told, one command or several at once, and remembers every
// line of both sides. Connects at once; throws std::runtime_error if nobody listens. One thread at
// a time.
class SmtpClient {
 public:
  explicit SmtpClient(std::uint16_t port, const std::string& address = "127.0.0.1");

  const SmtpReply& greeting() const { return greeting_; }
  SmtpReply command(std::string_view line);
  void write_line(std::string_view line);  // without waiting for a reply
  // All lines in one write, then one reply for each.
  std::vector<SmtpReply> pipeline(const std::vector<std::string>& lines);
  SmtpReply ehlo() { return command("EHLO client.example"); }
  // EHLO, XCLIENT with these attributes ("ADDR=192.0.2.1 LOGIN=alice"), and EHLO again; the reply
  // of the first step that failed, or of the last. An IPv6 address is written IPV6:2001:db8::1.
  SmtpReply xclient(std::string_view attributes);
  SmtpReply auth_plain(std::string_view user, std::string_view password);
  // The text (lines end with LF), dot-stuffed, and the final dot; needs a 354 before.
  SmtpReply text(std::string_view text);
  SmtpReply bdat(std::string_view chunk, bool last);
  // MAIL, a RCPT each, DATA and the text. The reply that decides: the first refusal of MAIL or
  // DATA, the refusal of the last RCPT if none was accepted, else that of the text. Sends RSET
  // after a refusal.
  SmtpReply send(std::string_view sender, const std::vector<std::string>& recipients,
                 std::string_view text);
  void reset_connection() { socket_.reset(); }

  // Every line of both sides since the start, "C: …" or "S: …".
  const std::vector<std::string>& transcript() const { return transcript_; }

 private:
  SmtpReply read_reply();

  LineSocket socket_;
  std::vector<std::string> transcript_;
  SmtpReply greeting_;
};

// Header lines and one body line that carry `mark`, by which a sink finds the message.
std::string mail_text(std::string_view mark, std::string_view extra_headers = {});

}  // namespace ipmit::test
