// SPDX-License-Identifier: Apache-2.0
#include "events/mime_structure.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "events/bounce_text.h"
#include "events/mime_part.h"

namespace ipmit::events {
namespace {

struct Line {
  std::size_t begin, next;  // next: begin of the following line
  std::string_view text;    // without its end
};

struct Container {
  std::string boundary;   // with its leading "--"; empty if the mail names none
  std::size_t begin;      // of what stands before the first part
  bool is_digest;         // its parts are messages where they do not say otherwise
  std::size_t parts = 0;  // that have begun
};

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}
// Of a line that starts with the boundary.
bool is_closing(std::string_view line, std::string_view boundary) {
  const std::string_view tail = line.substr(boundary.size());
  return tail.starts_with("--") && is_blank(tail.substr(2));
}
bool is_boundary(std::string_view line, std::string_view boundary) {
  if (boundary.empty() || !line.starts_with(boundary)) return false;
  return is_blank(line.substr(boundary.size())) || is_closing(line, boundary);
}

class Walker {
 public:
  Walker(std::string_view mail, ReadContentType read_type)
      : text_(mail.substr(0, kMaxMailBytes)), read_type_(read_type) {
    out_.cut = text_.size() < mail.size();
  }

  MimeStructure walk() {
    begin_part();
    out_.type = type_;
    while (const auto line = containers_.empty() ? std::nullopt : next_line())
      if (const std::size_t open = containers_bounded_by(*line); open > 0)
        end_at_boundary(*line, open);
    end_part(text_.size());
    while (!containers_.empty()) close(text_.size());
    return std::move(out_);
  }

 private:
  std::optional<Line> next_line() {
    if (at_ >= text_.size()) return std::nullopt;
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    Line line{at_, std::min(end + 1, text_.size()), text_.substr(at_, end - at_)};
    if (line.text.ends_with('\r')) line.text.remove_suffix(1);
    if (line.text.starts_with("--") && !containers_.empty() && ++dashes_ > kMaxBoundaryLines) {
      cut_at(line.begin);
      return std::nullopt;
    }
    at_ = line.next;
    return line;
  }
  void cut_at(std::size_t end) {
    out_.cut = true;
    text_ = text_.substr(0, end);
  }

  // How many containers are open up to the one whose boundary the line is; 0 if it is none.
  std::size_t containers_bounded_by(const Line& line) const {
    std::size_t open = line.text.starts_with("--") ? containers_.size() : 0;
    while (open > 0 && !is_boundary(line.text, containers_[open - 1].boundary)) --open;
    return open;
  }

  void end_at_boundary(const Line& line, std::size_t open) {
    const std::size_t end = without_line_end(line.begin);
    end_part(end);
    while (containers_.size() > open) close(end);
    if (is_closing(line.text, containers_.back().boundary)) {
      close(end);
    } else if (at_ < text_.size()) {
      ++containers_.back().parts;
      begin_part();
    }
  }

  // The line end in front of a boundary belongs to the boundary.
  std::size_t without_line_end(std::size_t end) const {
    if (end > 0 && text_[end - 1] == '\n') --end;
    if (end > 0 && text_[end - 1] == '\r') --end;
    return end;
  }

  std::string_view between(std::size_t begin, std::size_t end) const {
    return text_.substr(begin, end > begin ? end - begin : 0);
  }

  void begin_part() {
    read_header();
    const bool is_container = type_.is_multipart();
    if (is_container && containers_opened_++ < kMaxContainers) {
      containers_.push_back({type_.boundary.empty() ? "" : "--" + type_.boundary, at_,
                             type_.type == "multipart/digest"});
      return;
    }
    if (is_container) cut_at(at_);
    in_leaf_ = true;
    leaf_begin_ = at_;
  }

  void end_part(std::size_t end) {
    if (!std::exchange(in_leaf_, false)) return;
    out_.leaves.push_back({std::move(type_), encoding_, between(leaf_begin_, end)});
  }

  void close(std::size_t end) {
    const Container& last = containers_.back();
    if (last.parts == 0)
      out_.leaves.push_back({{"text/plain", {}, {}, {}}, {}, between(last.begin, end), true});
    containers_.pop_back();
  }

  // Leaves at_ at the first line of the body.
  void read_header() {
    std::string_view type, *folded = nullptr;
    encoding_ = {};
    while (const auto line = next_line()) {
      if (line->text.empty()) break;
      if (containers_bounded_by(*line) > 0) {
        at_ = line->begin;
        --dashes_;
        break;
      }
      if (line->text[0] == ' ' || line->text[0] == '\t') {
        if (folded != nullptr) *folded = {folded->data(), length_to(*folded, line->text)};
        continue;
      }
      folded = nullptr;
      const std::size_t colon = line->text.find(':');
      const std::string_view name = line->text.substr(0, colon);
      if (colon == std::string_view::npos || name.find_first_of(" \t") != std::string_view::npos)
        continue;
      if (equals_ignoring_case(name, "content-type")) folded = &type;
      if (equals_ignoring_case(name, "content-transfer-encoding")) folded = &encoding_;
      if (folded != nullptr) *folded = line->text.substr(colon + 1);
    }
    const bool in_digest = !containers_.empty() && containers_.back().is_digest;
    type_ = type.data() != nullptr
                ? read_type_(type)
                : ContentType{in_digest ? "message/rfc822" : "text/plain", {}, {}, {}};
  }
  static std::size_t length_to(std::string_view from, std::string_view last) {
    return static_cast<std::size_t>(last.data() + last.size() - from.data());
  }

  std::string_view text_;
  ReadContentType read_type_;
  MimeStructure out_;
  std::size_t at_ = 0, dashes_ = 0, containers_opened_ = 0;
  std::vector<Container> containers_;  // open ones, the outermost first
  ContentType type_;  // of the part that is being read, and what else is known of it
  std::string_view encoding_;
  bool in_leaf_ = false;
  std::size_t leaf_begin_ = 0;
};

}  // namespace

MimeStructure find_parts(std::string_view mail, ReadContentType read_type) {
  return Walker(mail, read_type).walk();
}

}  // namespace ipmit::events
