// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ipmit::events {

// A set of byte strings that is looked up in a text all at once (Aho-Corasick): one table step a
// byte, whatever the number of strings. ASCII letters of the text count as lower case. Immutable,
// hence thread-safe.
class PhraseIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // `phrases`: none empty, lower case. Phrase i is reported as i; equal phrases may occur more than
  // once. At most 2^31 bytes of table: some hundred thousand bytes of phrases.
  explicit PhraseIndex(const std::vector<std::string_view>& phrases);

  // Calls found(phrase, end) for each occurrence of a phrase, in the order of their ends, until it
  // returns true.
  template <typename Found>
  void search(std::string_view text, Found found) const {
    const std::uint32_t* const next = next_.data();
    std::uint32_t row = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
      row = next[row + column_[static_cast<unsigned char>(text[at])]];
      if ((row & kHit) == 0) continue;
      row &= ~kHit;
      if (report_hits(row, at + 1, found)) return;
    }
  }

  // The first in the order of the constructor's list that occurs, and where it ends first; kNone.
  struct First {
    std::uint32_t phrase = kNone;
    std::size_t end = 0;
  };
  First first(std::string_view text) const {
    First best;
    search(text, [&](std::uint32_t phrase, std::size_t end) {
      if (phrase < best.phrase) best = {phrase, end};
      return phrase == 0;
    });
    return best;
  }
  bool occurs_in(std::string_view text) const {
    bool found = false;
    search(text, [&](std::uint32_t, std::size_t) { return found = true; });
    return found;
  }

 private:
  static constexpr std::uint32_t kHit = 0x80000000;

  template <typename Found>
  bool report_hits(std::uint32_t row, std::size_t end, Found& found) const {
    for (std::uint32_t hit = first_hit_[row / width_]; hit != 0; hit = first_hit_[link_[hit]])
      for (std::uint32_t i = hit_begin_[hit]; i < hit_begin_[hit + 1]; ++i)
        if (found(hits_[i], end)) return true;
    return false;
  }

  void note_hits(const std::vector<std::uint32_t>& ends, const std::vector<std::uint32_t>& place);

  std::array<std::uint8_t, 256> column_{};  // bytes that occur in no phrase share column 0
  std::uint32_t width_ = 1;
  // [row * width_ + column]: the next row * width_, with kHit where a phrase ends.
  std::vector<std::uint32_t> next_;
  // [row]: the nearest row on its suffix chain that ends a phrase, itself included.
  std::vector<std::uint32_t> first_hit_;
  std::vector<std::uint32_t> link_;       // [row]: where its suffix chain goes on
  std::vector<std::uint32_t> hit_begin_;  // [row]: range in hits_
  std::vector<std::uint32_t> hits_;
};

}  // namespace ipmit::events
