// SPDX-License-Identifier: Apache-2.0
#include "events/provider/json_pieces.h"

#include <algorithm>
#include <utility>

namespace ipmit::events {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

JsonPieces::JsonPieces(Piece piece, Fault fault)
    : piece_(std::move(piece)), fault_(std::move(fault)) {}

// Most of a record is text: everything up to the next character that matters goes in one piece.
std::size_t JsonPieces::add_text(std::string_view bytes) {
  const bool plain = state_ == State::kJunk || (state_ == State::kInside && in_text_ && !escaped_);
  if (!plain) return 0;
  std::size_t size = 0;
  if (state_ == State::kJunk) {
    size = std::min(bytes.find('\n'), bytes.size());
  } else {
    while (size < bytes.size() && bytes[size] != '"' && bytes[size] != '\\' && bytes[size] != '\n')
      ++size;
    if (!silent_) text_ += bytes.substr(0, std::min(size, kMaxPiece - text_.size()));
  }
  return size;
}

void JsonPieces::add(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    at += add_text(bytes.substr(at));
    if (at == bytes.size()) return;
    const char c = bytes[at];
    if (state_ == State::kInside)
      add_inside(c);
    else if (state_ == State::kOutside)
      add_outside(c);
    if (c != '\n') continue;
    ++line_;
    if (state_ == State::kJunk) state_ = State::kOutside;
  }
}

void JsonPieces::finish() {
  if (state_ == State::kInside && !silent_) fault_(begun_, "ends in the middle of the record");
  state_ = State::kOutside;
  in_list_ = false;
  text_.clear();
  text_.shrink_to_fit();
}

void JsonPieces::add_outside(char c) {
  // Also the byte order mark and the record separator of RFC 7464.
  if (is_blank(c) || c == '\xef' || c == '\xbb' || c == '\xbf' || c == '\x1e') return;
  if (c == '{') {
    begin();
  } else if (c == '[' && !in_list_) {
    in_list_ = true;
  } else if (c == ']' && in_list_) {
    in_list_ = false;
  } else if (c != ',' || !in_list_) {
    drop(line_, "not a JSON object", State::kJunk);
  }
}

void JsonPieces::begin() {
  state_ = State::kInside;
  begun_ = line_;
  depth_ = 0;
  in_text_ = escaped_ = silent_ = line_start_ = false;
  open(true);
}

void JsonPieces::end() {
  state_ = State::kOutside;
  if (!silent_) piece_(text_, begun_);
  text_.clear();
}

void JsonPieces::drop(std::uint64_t line, std::string_view reason, State next) {
  fault_(line, reason);
  text_.clear();
  state_ = next;
}

void JsonPieces::open(bool object) {
  text_ += object ? '{' : '[';
  previous_ = object ? '{' : '[';
  ++depth_;
  if (depth_ <= kMaxDepth) {
    is_object_[depth_] = object;
  } else if (!silent_) {
    drop(begun_, "brackets are nested deeper than 64", State::kInside);
    silent_ = true;
  }
}

void JsonPieces::close(bool object) {
  text_ += object ? '}' : ']';
  previous_ = object ? '}' : ']';
  if (depth_ <= kMaxDepth && is_object_[depth_] != object) {
    if (silent_)
      state_ = State::kJunk;
    else
      drop(begun_, "a bracket is closed by one of the other kind", State::kJunk);
  } else if (--depth_ == 0) {
    end();
  }
}

// Where an object stands as a value, a ':', or in a list a '[' or ',', goes before it.
bool JsonPieces::cannot_begin_here() const {
  if (depth_ > kMaxDepth) return false;
  return is_object_[depth_] ? previous_ != ':' : previous_ != '[' && previous_ != ',';
}

void JsonPieces::add_inside(char c) {
  if (text_.size() >= kMaxPiece) {
    drop(begun_, "the record is longer than 4 MiB", State::kInside);
    silent_ = true;
  }
  const bool first_on_line = line_start_;
  line_start_ = c == '\n';
  if (in_text_ && c == '\n') {
    if (!silent_) fault_(begun_, "the line ends inside a text");
    text_.clear();
    state_ = State::kOutside;
  } else if (in_text_) {
    text_ += c;
    if (escaped_)
      escaped_ = false;
    else if (c == '\\')
      escaped_ = true;
    else if (c == '"')
      in_text_ = false;
  } else if (c == '{' && first_on_line && cannot_begin_here()) {
    if (!silent_) fault_(begun_, "the record ends before its brackets are closed");
    text_.clear();
    begin();
  } else if (c == '{' || c == '[') {
    open(c == '{');
  } else if (c == '}' || c == ']') {
    close(c == '}');
  } else {
    text_ += c;
    if (c == '"') in_text_ = true;
    if (!is_blank(c)) previous_ = c;
  }
  if (silent_) text_.clear();
}

}  // namespace ipmit::events
