// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ipmit::events {

// A set of byte strings that is looked up in a text all at once (Aho-Corasick): one table step a
// byte, whatever the number of strings. Immutable, hence thread-safe.
class PhraseIndex {
 public:
  // `phrases`: none empty. Phrase i is reported as i; equal phrases may occur more than once.
  explicit PhraseIndex(const std::vector<std::string_view>& phrases);

  // Calls found(phrase) for each phrase that occurs, once per occurrence, in the order of their
  // ends.
  template <typename Found>
  void search(std::string_view text, Found found) const {
    std::uint32_t node = 0;
    for (const char c : text) {
      node = next_[node * width_ + column_[static_cast<unsigned char>(c)]];
      for (std::uint32_t hit = first_hit_[node]; hit != 0; hit = first_hit_[hit_link_[hit]])
        for (std::uint32_t i = hit_begin_[hit]; i < hit_begin_[hit + 1]; ++i) found(hits_[i]);
    }
  }

 private:
  std::array<std::uint8_t, 256> column_{};  // bytes that occur in no phrase share column 0
  std::size_t width_ = 1;
  std::vector<std::uint32_t> next_;  // [node * width_ + column]
  std::vector<std::uint32_t>
      first_hit_;  // [node]: nearest node on its suffix chain that ends a phrase
  std::vector<std::uint32_t> hit_link_;   // [node]: where its suffix chain goes on
  std::vector<std::uint32_t> hit_begin_;  // [node]: range in hits_
  std::vector<std::uint32_t> hits_;
};

}  // namespace ipmit::events
