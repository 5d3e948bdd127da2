// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace ipmit::cli {

// Rows with aligned columns for a terminal, two blanks between columns, none at the end of a line.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> headings) { rows_.push_back(std::move(headings)); }
  TextTable() = default;  // without a line of headings

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print(std::ostream& out, std::string_view indent = "") const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// For a terminal: control characters become '?', so that no text from a store or a mail can move
// the cursor.
std::string printable(std::string_view text);

// Characters of UTF-8 text, ill-formed bytes counted as one each.
std::size_t display_width(std::string_view text);

}  // namespace ipmit::cli
