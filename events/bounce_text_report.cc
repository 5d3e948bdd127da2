// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_text_report.h"

#include <algorithm>
#include <utility>

#include "events/bounce_address.h"
#include "events/bounce_heads.h"
#include "events/bounce_text.h"
#include "events/dsn_report.h"

namespace ipmit::events {
namespace {

constexpr std::size_t kMaxAliases = 100;  // of one report that are traced back

class Reader {
 public:
  explicit Reader(std::string_view report) : lines_(split_lines(report)) {
    heads_.reserve(lines_.size());
    for (const std::string_view line : lines_) {
      const bool undisclosed = !heads_.empty() && is_undisclosed(lines_[heads_.size() - 1]);
      heads_.push_back(undisclosed ? undisclosed_head(line) : head_of(line));
    }
    forget_heads_above_list();
    forget_heads_of_message();
    name_what_was_sent_to();
    for (const Head& head : heads_) best_ = std::max(best_, head.strength);
  }

  std::vector<TextRecipient> read() {
    if (best_ == Strength::kNone) return {};
    const Strength least = std::min(best_, Strength::kHead);
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const Head& head = heads_[i];
      const bool is_reply = head.strength == Strength::kReplyHead;
      if (head.strength == Strength::kNone || head.strength < least ||
          (is_reply && is_current(head.address)))
        add_line(lines_[i]);
      else if (is_reply)
        add_reply_head(lines_[i], head);
      else
        add_head(lines_[i], head);
    }
    share_text();
    return std::move(recipients_);
  }

 private:
  // Above the list of recipients stands, for one, the "To:" of the message.
  void forget_heads_above_list() {
    const auto list = std::find_if(lines_.begin(), lines_.end(), announces_recipients);
    const auto below = heads_.begin() + (list - lines_.begin());
    const auto is_head = [](const Head& head) { return head.strength >= Strength::kHead; };
    if (std::none_of(below, heads_.end(), is_head)) return;
    for (auto head = heads_.begin(); head != below; ++head) *head = {};
  }

  // Below the recipients the message may be described, with its "To:".
  void forget_heads_of_message() {
    const auto start = std::find_if(lines_.begin(), lines_.end(), describes_message);
    const auto below = heads_.begin() + (start - lines_.begin());
    const auto is_head = [](const Head& head) { return head.strength >= Strength::kHead; };
    if (std::none_of(heads_.begin(), below, is_head)) return;
    for (auto head = below; head != heads_.end(); ++head) *head = {};
  }

  // An alias of Sendmail: the sender knows the address he used, not what became of it.
  void name_what_was_sent_to() {
    std::vector<std::pair<std::string, std::string>> names;
    std::size_t head = lines_.size();
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (heads_[i].strength >= Strength::kHead) head = i;
      if (trim(lines_[i]).empty()) head = lines_.size();
      std::string sent_to = expanded_from(lines_[i]);
      if (sent_to.empty() || names.size() >= kMaxAliases) continue;
      heads_[i] = {};
      if (head < lines_.size())
        names.emplace_back(heads_[head].address, std::move(sent_to));
      else
        heads_[i] = {Strength::kHead, std::move(sent_to), {}};
    }
    for (const auto& [address, sent_to] : names)
      for (Head& each : heads_)
        if (equals_ignoring_case(each.address, address)) each.address = sent_to;
  }

  TextRecipient& recipient(const std::string& address) {
    for (auto& known : recipients_)
      if (equals_ignoring_case(known.address, address)) return known;
    if (recipients_.size() >= kMaxRecipients) return overflow_ = {};
    recipients_.push_back({address, {}, best_ >= Strength::kHead});
    return recipients_.back();
  }

  bool is_current(const std::string& address) const {
    return current_ != nullptr && equals_ignoring_case(current_->address, address);
  }

  static void append(std::string& to, std::string_view line) {
    if (!line.empty() && to.size() < kMaxDiagnostic) to.append(line).append(1, '\n');
  }

  void add_head(std::string_view line, const Head& head) {
    current_ = &recipient(head.address);
    // A bare address says nothing; in a sentence the words around it do.
    append(current_->text, head.strength >= Strength::kHead ? head.rest : line);
    in_transcript_ = false;
  }

  // In a transcript the lines above a reply head belong to it.
  void add_reply_head(std::string_view line, const Head& head) {
    TextRecipient& to = recipient(head.address);
    if (pending_.empty() && to.text.empty()) append(to.text, last_line_);
    append(to.text, trim(pending_));
    append(to.text, trim(line));
    pending_.clear();
    current_ = nullptr;
    in_transcript_ = true;
  }

  void add_line(std::string_view line) {
    const std::string_view trimmed = trim(line);
    const bool of_session = trimmed.starts_with("<<<") || trimmed.starts_with(">>>") ||
                            trimmed.starts_with("While talking") ||
                            trimmed.starts_with("... while");
    if (of_session && trimmed.front() != '<' && trimmed.front() != '>') pending_.clear();
    if (of_session || in_transcript_) append(pending_, trimmed);
    if (!trimmed.empty()) last_line_ = trimmed;
    if (in_transcript_) return;
    append(current_ != nullptr ? current_->text : before_, trimmed);
  }

  // Recipients listed one below the other have their reason below the last, or above the first.
  void share_text() {
    std::string_view text = trim(before_);
    for (auto to = recipients_.rbegin(); to != recipients_.rend(); ++to) {
      if (trim(to->text).find_first_not_of(".,;:") == std::string_view::npos)
        to->text = text;
      else
        text = to->text;
    }
  }

  std::vector<std::string_view> lines_;
  std::vector<Head> heads_;
  Strength best_ = Strength::kNone;
  std::vector<TextRecipient> recipients_;
  TextRecipient overflow_;  // takes what stands behind the limit
  TextRecipient* current_ = nullptr;
  std::string before_, pending_;
  std::string_view last_line_;
  bool in_transcript_ = false;
};

}  // namespace

std::vector<TextRecipient> read_text_report(std::string_view report) {
  return Reader(report).read();
}

std::vector<TextRecipient> read_bare_names(std::string_view report) {
  const std::vector<std::string_view> lines = split_lines(report);
  auto line = std::find_if(lines.begin(), lines.end(), announces_recipients);
  std::vector<TextRecipient> out;
  const std::string_view sentence = line == lines.end() ? std::string_view() : trim(*line);
  for (int wrapped = 0; wrapped < 3 && line != lines.end(); ++wrapped)
    if (trim(*line++).ends_with(':')) {
      for (; line != lines.end() && out.size() < kMaxRecipients; ++line) {
        const std::string_view trimmed = trim(*line);
        if (trimmed.empty()) continue;
        const std::string_view name = bare_name(trimmed);
        if (name.empty()) break;
        const std::string_view reason = trim(trimmed.substr(name.size()));
        out.push_back({std::string(name), std::string(reason.empty() ? sentence : reason), true});
      }
      break;
    }
  return out;
}

}  // namespace ipmit::events
