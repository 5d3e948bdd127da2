// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_footer.h"

#include <vector>

#include "events/bounce_phrases.h"
#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

const PhraseIndex& words_of_scanners() {
  static const PhraseIndex kPhrases({"been scanned for", "was scanned for", "been scanned by",
                                     "was scanned by", "been checked for virus",
                                     "was checked for virus", "been checked by", "virus-free",
                                     "virus free", "auf viren", "contre les virus"});
  return kPhrases;
}
bool speaks_of_scan(std::string_view line) {
  return words_of_scanners().occurs_in(line.substr(0, 1000));
}

bool speaks_of_find(std::string_view paragraph) {
  static const PhraseIndex kPhrases({"found", "infect", "reject", "block", "quarantin", "detect",
                                     "contains", "denied", "refus", "removed", "not delivered"});
  return kPhrases.occurs_in(paragraph) || !find_codes(paragraph).reply.empty();
}

bool is_rule(std::string_view line) {
  line = trim(line);
  return line.size() >= 10 && line.find_first_not_of("_-=*#~") == std::string_view::npos;
}

}  // namespace

std::string without_scanner_footers(std::string_view text) {
  if (!words_of_scanners().occurs_in(text)) return std::string(text);
  const std::vector<std::string_view> lines = split_lines(text);
  std::string out;
  std::size_t last = 0;  // where the last line of `out` begins
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (speaks_of_scan(lines[i])) {
      std::size_t end = i;
      while (end < lines.size() && !trim(lines[end]).empty()) ++end;
      std::string paragraph;
      for (std::size_t k = i; k < end; ++k) paragraph.append(lines[k]).append(1, ' ');
      if (!speaks_of_find(paragraph)) {
        if (is_rule(std::string_view(out).substr(last))) out.resize(last);
        i = end;
        last = out.size();
        continue;
      }
      // What it goes on with is about the find, too.
      for (; i + 1 < end; ++i) out.append(lines[i]).append(1, '\n');
    }
    last = out.size();
    out.append(lines[i]).append(1, '\n');
  }
  return out;
}

}  // namespace ipmit::events
