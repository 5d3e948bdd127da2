// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ipmit::common {

// Appends `text` to `out` as a quoted JSON string (RFC 8259 section 7). Any bytes are allowed:
// control characters are escaped, and what is not UTF-8 becomes U+FFFD, one per ill-formed
// sequence, so the result is always valid JSON. Allocates only what `out` needs.
void append_json_string(std::string& out, std::string_view text);

// Writes one flat JSON object into a string that the caller owns, for the places where millions of
// records are printed and a document tree would cost more than the work itself. Keys are literals
// of ours and are not escaped. Text fields that are empty are left out by text(); always_text()
// writes them. The object is closed by finish(); the writer must not be used after that.
class JsonObjectText {
 public:
  explicit JsonObjectText(std::string& out) : out_(out) { out_ += '{'; }

  void text(std::string_view key, std::string_view value) {
    if (!value.empty()) always_text(key, value);
  }
  void always_text(std::string_view key, std::string_view value);
  void number(std::string_view key, std::uint64_t value);
  void boolean(std::string_view key, bool value);
  void raw(std::string_view key, std::string_view json);  // `json` is already JSON
  void finish() { out_ += '}'; }

 private:
  void begin(std::string_view key);
  std::string& out_;
  bool first_ = true;
};

}  // namespace ipmit::common
