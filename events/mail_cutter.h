// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace ipmit::events {

// Cuts a stream of bytes into mails: those of a mbox file, if it starts with a separator line
// ("From SENDER WEEKDAY …"), else the stream is one mail. Of each mail kMaxMailBytes + 1 bytes are
// kept, so that a file of any size and a line without end cost no memory and parse_mail() still
// sees that the mail went on. One thread at a time.
class MailCutter {
 public:
  // `mail` lives for the call only; the separator line is its first.
  using Mail = std::function<void(std::string_view mail)>;

  explicit MailCutter(Mail mail) : mail_(std::move(mail)) {}

  void add(std::string_view bytes);
  void finish();  // the end of the input; an empty one is one empty mail

 private:
  // What tells whether a line is a separator stands in its first bytes.
  static constexpr std::size_t kHeadBytes = 512;

  // Once for each line, with its beginning: whether a mail begins with it that is not the first.
  bool begins_mail(std::string_view head);
  void end_head();
  void keep(std::string_view bytes);
  void hand_out();

  Mail mail_;
  std::string text_;      // of the mail so far
  std::string head_;      // of the line whose beginning a piece has cut
  bool in_line_ = false;  // the head of this line is done
  bool first_line_ = true;
  bool is_mbox_ = false;
  bool after_blank_ = true;
};

}  // namespace ipmit::events
