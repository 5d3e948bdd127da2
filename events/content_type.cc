// SPDX-License-Identifier: Apache-2.0
#include "events/content_type.h"

#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '+' || c == '#';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  void skip_blanks() {
    while (!at_end() && is_blank(text_[at_])) ++at_;
  }
  bool skip(char c) {
    const bool here = !at_end() && text_[at_] == c;
    if (here) ++at_;
    return here;
  }
  std::string_view token() {
    const std::size_t begin = at_;
    while (!at_end() && is_token_char(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  // Behind the opening quote; nothing where the string is not plain.
  std::optional<std::string_view> quoted() {
    const std::size_t begin = at_;
    for (; !at_end(); ++at_) {
      const char c = text_[at_];
      if (c == '"') return text_.substr(begin, at_++ - begin);
      if (c < ' ' || c > '~' || c == '\\' || (c == '=' && text_.substr(at_).starts_with("=?")))
        return std::nullopt;
    }
    return std::nullopt;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

std::optional<std::string_view> read_value(Cursor& cursor) {
  if (cursor.skip('"')) return cursor.quoted();
  const std::string_view token = cursor.token();
  if (token.empty()) return std::nullopt;
  return token;
}

std::string* member(ContentType& out, std::string_view name) {
  if (equals_ignoring_case(name, "boundary")) return &out.boundary;
  if (equals_ignoring_case(name, "charset")) return &out.charset;
  if (equals_ignoring_case(name, "report-type")) return &out.report_type;
  return nullptr;
}

}  // namespace

std::optional<ContentType> read_plain_content_type(std::string_view value) {
  Cursor cursor(value);
  cursor.skip_blanks();
  const std::string_view type = cursor.token();
  const bool slash = cursor.skip('/');
  const std::string_view subtype = cursor.token();
  if (type.empty() || !slash || subtype.empty()) return std::nullopt;
  ContentType out;
  out.type.reserve(type.size() + 1 + subtype.size());
  out.type.append(type).append(1, '/').append(subtype);
  out.type = to_lower(out.type);
  for (cursor.skip_blanks(); cursor.skip(';');) {
    cursor.skip_blanks();
    if (cursor.at_end()) break;
    const std::string_view name = cursor.token();
    if (name.empty() || !cursor.skip('=')) return std::nullopt;
    const auto text = read_value(cursor);
    if (!text) return std::nullopt;
    if (std::string* const known = member(out, name)) {
      if (!known->empty()) return std::nullopt;
      *known = known == &out.boundary ? std::string(*text) : to_lower(*text);
    }
    cursor.skip_blanks();
  }
  if (!cursor.at_end()) return std::nullopt;
  return out;
}

}  // namespace ipmit::events
