// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ipmit::events {

// The alternatives of a text of a bounce rule written out: "{user|mailbox} {is |}full" is "user is
// full", "user full", "mailbox is full", "mailbox full". A text without braces is itself. Empty if
// braces are not closed, stand inside others, or there are more than 4096 alternatives.
std::vector<std::string> write_out(std::string_view text);

// One text or url of a bounce rule, without braces; '*' stands for up to 80 characters. What is
// looked up in a PhraseIndex is phrase(); holds() tells whether the rest is there, too.
class BouncePattern {
 public:
  // `pattern` must hold more than '*'. Many end in the same words, so only the last ones are looked
  // up: the index stays small enough for the cache.
  BouncePattern(bool url, std::string_view pattern);

  bool url() const { return url_; }
  std::string_view phrase() const;
  // Called when phrase() is known to end at `end`.
  bool holds(std::string_view text, std::size_t end) const;

  std::vector<std::uint32_t> rules;  // that ask for it (not those that ask for its absence)

 private:
  bool rest_holds(std::string_view text, std::size_t at) const;

  bool url_;
  std::vector<std::string> pieces_;
  std::size_t longest_ = 0;  // index into pieces_
  std::size_t phrase_ = 0;   // bytes at the end of the longest piece that are looked up
};

}  // namespace ipmit::events
