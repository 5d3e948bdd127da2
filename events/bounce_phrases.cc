// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_phrases.h"

#include <algorithm>

namespace ipmit::events {

PhraseIndex::PhraseIndex(const std::vector<std::string_view>& phrases) {
  for (const std::string_view phrase : phrases)
    for (const char c : phrase)
      if (std::uint8_t& column = column_[static_cast<unsigned char>(c)]; column == 0)
        column = static_cast<std::uint8_t>(width_++);
  for (unsigned char c = 'a'; c <= 'z'; ++c) column_[c - 'a' + 'A'] = column_[c];

  next_.assign(width_, 0);
  std::vector<std::vector<std::uint32_t>> ends(1);
  for (std::uint32_t i = 0; i < phrases.size(); ++i) {
    std::uint32_t node = 0;
    for (const char c : phrases[i]) {
      const std::size_t edge = node * width_ + column_[static_cast<unsigned char>(c)];
      if (next_[edge] == 0) {
        next_[edge] = static_cast<std::uint32_t>(ends.size());
        ends.emplace_back();
        next_.resize(next_.size() + width_, 0);
      }
      node = next_[edge];
    }
    ends[node].push_back(i);
  }

  // Breadth first: the longest proper suffix of each node, then the missing edges through it.
  const std::size_t count = ends.size();
  first_hit_.assign(count, 0);
  link_.assign(count, 0);
  std::vector<std::uint32_t> order{0};
  order.reserve(count);
  for (std::size_t done = 0; done < order.size(); ++done) {
    const std::uint32_t node = order[done];
    const std::uint32_t suffix = link_[node];
    first_hit_[node] = !ends[node].empty() ? node : first_hit_[suffix];
    for (std::size_t column = 0; column < width_; ++column) {
      std::uint32_t& edge = next_[node * width_ + column];
      const std::uint32_t through = node == 0 ? 0 : next_[suffix * width_ + column];
      if (edge == 0) {
        edge = through;
      } else {
        link_[edge] = through;
        order.push_back(edge);
      }
    }
  }

  for (std::uint32_t& node : next_) node = node * width_ | (first_hit_[node] != 0 ? kHit : 0);

  hit_begin_.reserve(count + 1);
  for (const auto& end : ends) {
    hit_begin_.push_back(static_cast<std::uint32_t>(hits_.size()));
    hits_.insert(hits_.end(), end.begin(), end.end());
  }
  hit_begin_.push_back(static_cast<std::uint32_t>(hits_.size()));
}

}  // namespace ipmit::events
