// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_pattern.h"

#include <algorithm>

namespace ipmit::events {
namespace {

constexpr std::size_t kMaxGap = 80;  // characters that a '*' stands for, at most
constexpr std::size_t kMaxAlternatives = 4096;
constexpr std::size_t kMinPhrase = 10;  // shorter ends would be found too often

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(at, start), text.size());
    parts.emplace_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

}  // namespace

std::vector<std::string> write_out(std::string_view text) {
  if (text.find_first_of("{}") == std::string_view::npos) return {std::string(text)};
  std::vector<std::string> out{""};
  while (!text.empty()) {
    const std::size_t open = std::min(text.find('{'), text.size());
    std::vector<std::string> choices{std::string(text.substr(0, open))};
    if (open == 0) {
      const std::size_t close = text.find_first_of("{}", 1);
      if (close == std::string_view::npos || text[close] == '{') return {};
      choices = split(text.substr(1, close - 1), '|');
      text.remove_prefix(close + 1);
    } else {
      if (choices.front().find('}') != std::string::npos) return {};
      text.remove_prefix(open);
    }
    if (out.size() * choices.size() > kMaxAlternatives) return {};
    std::vector<std::string> longer;
    for (const std::string& begin : out)
      for (const std::string& choice : choices) longer.push_back(begin + choice);
    out = std::move(longer);
  }
  return out;
}

BouncePattern::BouncePattern(bool url, std::string_view pattern) : url_(url) {
  for (std::string& piece : split(pattern, '*'))
    if (!piece.empty()) pieces_.push_back(std::move(piece));
  for (std::size_t i = 1; i < pieces_.size(); ++i)
    if (pieces_[i].size() > pieces_[longest_].size()) longest_ = i;
  const std::string& piece = pieces_[longest_];
  phrase_ = piece.size();
  const std::size_t blank =
      piece.find_last_of(' ', piece.size() - std::min(piece.size(), kMinPhrase));
  if (blank != std::string::npos) phrase_ = piece.size() - blank - 1;
}

std::string_view BouncePattern::phrase() const {
  const std::string_view piece = pieces_[longest_];
  return piece.substr(piece.size() - phrase_);
}

bool BouncePattern::holds(std::string_view text, std::size_t end) const {
  if (!text.substr(0, end).ends_with(pieces_[longest_])) return false;
  if (pieces_.size() == 1) return true;
  for (std::size_t at = text.find(pieces_[0]); at != std::string_view::npos;
       at = text.find(pieces_[0], at + 1))
    if (rest_holds(text, at + pieces_[0].size())) return true;
  return false;
}

bool BouncePattern::rest_holds(std::string_view text, std::size_t at) const {
  for (std::size_t i = 1; i < pieces_.size(); ++i) {
    const std::size_t found = text.substr(at, kMaxGap + pieces_[i].size()).find(pieces_[i]);
    if (found == std::string_view::npos) return false;
    at += found + pieces_[i].size();
  }
  return true;
}

}  // namespace ipmit::events
