// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_phrases.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace ipmit::events {
namespace {

struct Node {
  std::uint32_t child = 0, sibling = 0;  // the first one, the next one; 0: none
  std::uint8_t column = 0;               // of the byte that leads here
};

struct Trie {
  std::vector<Node> nodes{1};
  std::vector<std::uint32_t> ends;  // [phrase]: its node
};

std::uint32_t child_of(const Trie& trie, std::uint32_t node, std::uint8_t column) {
  std::uint32_t child = trie.nodes[node].child;
  while (child != 0 && trie.nodes[child].column != column) child = trie.nodes[child].sibling;
  return child;
}

Trie make_trie(const std::vector<std::string_view>& phrases,
               const std::array<std::uint8_t, 256>& columns) {
  Trie trie;
  trie.ends.reserve(phrases.size());
  for (const std::string_view phrase : phrases) {
    std::uint32_t node = 0;
    for (const char c : phrase) {
      const std::uint8_t column = columns[static_cast<unsigned char>(c)];
      std::uint32_t child = child_of(trie, node, column);
      if (child == 0) {
        child = static_cast<std::uint32_t>(trie.nodes.size());
        const std::uint32_t sibling = std::exchange(trie.nodes[node].child, child);
        trie.nodes.push_back({0, sibling, column});
      }
      node = child;
    }
    trie.ends.push_back(node);
  }
  return trie;
}

}  // namespace

PhraseIndex::PhraseIndex(const std::vector<std::string_view>& phrases) {
  for (const std::string_view phrase : phrases)
    for (const char c : phrase)
      if (std::uint8_t& column = column_[static_cast<unsigned char>(c)]; column == 0)
        column = static_cast<std::uint8_t>(width_++);
  for (unsigned char c = 'a'; c <= 'z'; ++c) column_[c - 'a' + 'A'] = column_[c];

  const Trie trie = make_trie(phrases, column_);
  // Breadth first, so that the rows that are used most lie close together.
  std::vector<std::uint32_t> order{0}, place(trie.nodes.size(), 0);  // place: [node] in `order`
  order.reserve(trie.nodes.size());
  for (std::size_t done = 0; done < order.size(); ++done)
    for (std::uint32_t child = trie.nodes[order[done]].child; child != 0;
         child = trie.nodes[child].sibling) {
      place[child] = static_cast<std::uint32_t>(order.size());
      order.push_back(child);
    }
  note_hits(trie.ends, place);

  // A row is that of the longest proper suffix, but for the edges of the trie.
  next_.resize(order.size() * width_);
  first_hit_.assign(order.size(), 0);
  link_.assign(order.size(), 0);
  for (std::uint32_t row = 0; row < order.size(); ++row) {
    std::uint32_t* const edges = &next_[row * width_];
    if (row != 0) std::copy_n(&next_[link_[row] * width_], width_, edges);
    for (std::uint32_t child = trie.nodes[order[row]].child; child != 0;
         child = trie.nodes[child].sibling) {
      std::uint32_t& edge = edges[trie.nodes[child].column];
      const std::uint32_t to = place[child];
      link_[to] = (edge & ~kHit) / width_;
      const bool ends_here = hit_begin_[to] != hit_begin_[to + 1];
      first_hit_[to] = ends_here ? to : first_hit_[link_[to]];
      edge = to * width_ | (first_hit_[to] != 0 ? kHit : 0);
    }
  }
}

// The phrases by the row they end at, in order.
void PhraseIndex::note_hits(const std::vector<std::uint32_t>& ends,
                            const std::vector<std::uint32_t>& place) {
  hit_begin_.assign(place.size() + 1, 0);
  for (const std::uint32_t node : ends) ++hit_begin_[place[node] + 1];
  std::partial_sum(hit_begin_.begin(), hit_begin_.end(), hit_begin_.begin());
  hits_.resize(ends.size());
  std::vector<std::uint32_t> free = hit_begin_;
  for (std::uint32_t phrase = 0; phrase < ends.size(); ++phrase)
    hits_[free[place[ends[phrase]]]++] = phrase;
}

}  // namespace ipmit::events
