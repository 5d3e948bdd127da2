// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace ipmit::events {

// Cuts a stream of JSON into its top-level objects: JSON lines, objects one after another over many
// lines, and lists of objects, mixed as they come. Only brackets and quotes are looked at; whether
// an object is good JSON is for its reader to say. What is no object is a fault, and reading goes
// on behind it: at the next line, or where a line begins with '{' although an object cannot begin
// there, so that a truncated record costs a record or two and not the rest of the file.
//
// Memory is bounded: at most kMaxPiece bytes are kept. One thread at a time. Never throws but
// std::bad_alloc.
class JsonPieces {
 public:
  static constexpr std::size_t kMaxPiece = 4u << 20;  // bytes of one object
  static constexpr std::size_t kMaxDepth = 64;        // of brackets inside one another

  // `text` lives for the call only; `line`: where the object begins, from 1.
  using Piece = std::function<void(std::string_view text, std::uint64_t line)>;
  using Fault = std::function<void(std::uint64_t line, std::string_view reason)>;

  JsonPieces(Piece piece, Fault fault);

  void add(std::string_view bytes);
  void finish();  // the end of the input

 private:
  enum class State : std::uint8_t { kOutside, kInside, kJunk };

  std::size_t add_text(std::string_view bytes);
  void add_outside(char c);
  void add_inside(char c);
  void begin();
  void end();
  void open(bool object);
  void close(bool object);
  void drop(std::uint64_t line, std::string_view reason, State next);
  bool cannot_begin_here() const;

  Piece piece_;
  Fault fault_;
  State state_ = State::kOutside;
  std::string text_;
  std::uint64_t line_ = 1, begun_ = 1;
  std::size_t depth_ = 0;
  std::bitset<kMaxDepth + 1> is_object_;  // [depth]
  bool in_list_ = false;                  // between the brackets of a top-level list
  bool in_text_ = false, escaped_ = false;
  bool silent_ = false;      // the fault of this object is told: look for its end only
  bool line_start_ = false;  // nothing stands on this line yet
  char previous_ = 0;        // character outside of texts and blanks
};

}  // namespace ipmit::events
