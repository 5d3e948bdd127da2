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

// The beginning of a line is known: does a mail begin with it?
void MailCutter::end_head() {
  const bool separates = after_blank_ && is_separator(head_);
  if (first_line_)
    is_mbox_ = separates;
  else if (separates && is_mbox_)
    hand_out();
  first_line_ = false;
  after_blank_ = head_ == "\n" || head_ == "\r\n";
  keep(head_);
  head_.clear();
}

void MailCutter::add(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const bool ends = newline != std::string_view::npos;
    std::string_view line = bytes.substr(0, ends ? newline + 1 : bytes.size());
    bytes.remove_prefix(line.size());
    if (!in_line_) {
      const std::string_view head = line.substr(0, kHeadBytes - head_.size());
      head_ += head;
      line.remove_prefix(head.size());
      if (!ends && head_.size() < kHeadBytes) return;
      end_head();
    }
    keep(line);
    in_line_ = !ends;
  }
}

void MailCutter::finish() {
  if (!in_line_ && !head_.empty()) end_head();
  hand_out();
  first_line_ = after_blank_ = true;
  in_line_ = is_mbox_ = false;
}

}  // namespace ipmit::events
