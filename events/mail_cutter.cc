// SPDX-License-Identifier: Apache-2.0
#include "events/mail_cutter.h"

#include <algorithm>

#include "events/bounce_text.h"
#include "events/mime_part.h"

namespace ipmit::events {
namespace {

bool is_separator(std::string_view line) {
  if (!line.starts_with("From ")) return false;
  line = trim(line.substr(5));
  line = line.substr(std::min(line.find(' '), line.size()));
  line = line.substr(std::min(line.find_first_not_of(' '), line.size()));
  static constexpr std::string_view kDays = "Mon Tue Wed Thu Fri Sat Sun ";
  return line.size() > 12 && kDays.find(line.substr(0, 4)) % 4 == 0;
}

}  // namespace

void MailCutter::keep(std::string_view bytes) {
  text_ += bytes.substr(0, kMaxMailBytes + 1 - text_.size());
}

void MailCutter::hand_out() {
  mail_(text_);
  text_.clear();
}

bool MailCutter::begins_mail(std::string_view head) {
  const bool separates = after_blank_ && is_separator(head);
  const bool begins = separates && is_mbox_ && !first_line_;
  if (first_line_) is_mbox_ = separates;
  first_line_ = false;
  after_blank_ = head == "\n" || head == "\r\n";
  return begins;
}

void MailCutter::end_head() {
  if (begins_mail(head_)) hand_out();
  keep(head_);
  head_.clear();
}

void MailCutter::add(std::string_view bytes) {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t newline = bytes.find('\n', at);
    const bool ends = newline != std::string_view::npos;
    const std::size_t next = ends ? newline + 1 : bytes.size();
    if (!in_line_) {
      const std::string_view head =
          bytes.substr(at, std::min(next - at, kHeadBytes - head_.size()));
      const bool is_known = ends || head_.size() + head.size() == kHeadBytes;
      if (!is_known || !head_.empty()) {
        keep(bytes.substr(kept, at - kept));
        head_ += head;
        kept = at + head.size();
        if (is_known) end_head();
      } else if (begins_mail(head)) {
        keep(bytes.substr(kept, at - kept));
        hand_out();
        kept = at;
      }
      if (!is_known) return;
    }
    in_line_ = !ends;
    at = next;
  }
  keep(bytes.substr(kept));
}

void MailCutter::finish() {
  if (!in_line_ && !head_.empty()) end_head();
  hand_out();
  first_line_ = after_blank_ = true;
  in_line_ = is_mbox_ = false;
}

}  // namespace ipmit::events
