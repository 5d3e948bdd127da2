// SPDX-License-Identifier: Apache-2.0
#include "events/flat_json.h"

#include <cstdint>
#include <optional>

namespace ipmit::events {
namespace {

using std::string_view;

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

class FlatReader {
 public:
  FlatReader(string_view text, std::string& scratch) : text_(text), scratch_(scratch) {}

  void skip_blanks() {
    while (pos_ < text_.size() && (text_[pos_] == ' ' || text_[pos_] == '\t' ||
                                   text_[pos_] == '\n' || text_[pos_] == '\r')) {
      ++pos_;
    }
  }
  bool take(char c) {
    skip_blanks();
    if (pos_ >= text_.size() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }
  char peek() {
    skip_blanks();
    return pos_ < text_.size() ? text_[pos_] : '\0';
  }

  // A string whose opening quote is next. Without escapes it is a view into the text, else it is
  // appended to the scratch, whose content the caller drops between members.
  std::optional<string_view> string() {
    if (!take('"')) return std::nullopt;
    const std::size_t begin = pos_;
    while (pos_ < text_.size() && text_[pos_] != '"' && text_[pos_] != '\\') ++pos_;
    if (pos_ >= text_.size()) return std::nullopt;
    if (text_[pos_] == '"') return text_.substr(begin, pos_++ - begin);
    const std::size_t kept = scratch_.size();
    scratch_.append(text_, begin, pos_ - begin);
    while (pos_ < text_.size() && text_[pos_] != '"') {
      if (text_[pos_] != '\\') {
        scratch_ += text_[pos_++];
      } else if (!escape()) {
        return std::nullopt;
      }
    }
    if (pos_ >= text_.size()) return std::nullopt;
    ++pos_;
    return string_view(scratch_).substr(kept);
  }

  string_view number() {
    const std::size_t begin = pos_;
    while (pos_ < text_.size() &&
           string_view("+-.0123456789eE").find(text_[pos_]) != string_view::npos)
      ++pos_;
    return text_.substr(begin, pos_ - begin);
  }

  // An object, array or word; brackets inside strings do not count.
  bool skip_value() {
    std::size_t depth = 0;
    for (; pos_ < text_.size(); ++pos_) {
      const char c = text_[pos_];
      if (c == '"') {
        for (++pos_; pos_ < text_.size() && text_[pos_] != '"'; ++pos_) {
          if (text_[pos_] == '\\') ++pos_;
        }
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return true;  // the end of our own object
        if (--depth == 0) {
          ++pos_;
          return true;
        }
      } else if (c == ',' && depth == 0) {
        return true;
      }
    }
    return false;
  }

 private:
  std::optional<std::uint32_t> hex4() {
    if (text_.size() < pos_ + 4) return std::nullopt;
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const char c = text_[pos_ + i];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return std::nullopt;
      code = code << 4 | static_cast<std::uint32_t>(digit);
    }
    pos_ += 4;
    return code;
  }

  bool escape() {
    if (pos_ + 1 >= text_.size()) return false;
    const char c = text_[pos_ + 1];
    pos_ += 2;
    static constexpr string_view kNames = "bfnrt\"\\/";
    static constexpr string_view kBytes = "\b\f\n\r\t\"\\/";
    if (const std::size_t at = kNames.find(c); at != string_view::npos) {
      scratch_ += kBytes[at];
      return true;
    }
    if (c != 'u') return false;
    auto code = hex4();
    if (!code) return false;
    if (*code >= 0xd800 && *code < 0xdc00 && text_.substr(pos_, 2) == "\\u") {
      pos_ += 2;
      const auto low = hex4();
      if (!low) return false;
      const bool pair = *low >= 0xdc00 && *low < 0xe000;
      code = pair ? 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00) : 0xfffd;
    } else if (*code >= 0xd800 && *code < 0xe000) {
      code = 0xfffd;
    }
    append_utf8(scratch_, *code);
    return true;
  }

  string_view text_;
  std::string& scratch_;
  std::size_t pos_ = 0;
};

}  // namespace

bool read_flat_json(string_view text, std::string& scratch,
                    const std::function<void(string_view, string_view)>& member) {
  // Unescaped text is never longer than its JSON, so this keeps earlier views of the scratch valid.
  scratch.clear();
  scratch.reserve(text.size());
  FlatReader reader(text, scratch);
  if (!reader.take('{')) return false;
  if (reader.take('}')) return true;
  do {
    scratch.clear();
    const auto key = reader.string();
    if (!key || !reader.take(':')) return false;
    const char start = reader.peek();
    if (start == '"') {
      const auto value = reader.string();
      if (!value) return false;
      member(*key, *value);
    } else if (start == '-' || (start >= '0' && start <= '9')) {
      member(*key, reader.number());
    } else if (!reader.skip_value()) {
      return false;
    }
  } while (reader.take(','));
  return reader.take('}');
}

}  // namespace ipmit::events
