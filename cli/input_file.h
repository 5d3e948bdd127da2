// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.h"

namespace ipmit::cli {

// What is there to be read of `in`, at least a byte, waiting for it; 0 at the end. Standard input
// is read by its descriptor, without the copies of a stream, and as soon as something is there.
// PermanentError if it cannot be read.
std::size_t read_input(std::istream& in, char* buffer, std::size_t size);

struct PieceReader {
  std::function<void()> start = [] {};        // before the first piece, once the file is open
  std::function<void(std::string_view)> use;  // pieces of at most 64 KiB, as they come
  std::function<void()> idle = [] {};         // before each wait for more of an endless input
};

// Reads a file of any size, "-" being `standard_input`. Problem: "FILE: cannot read: reason".
std::optional<common::Problem> read_in_pieces(const std::string& file, std::istream& standard_input,
                                              const PieceReader& reader);

}  // namespace ipmit::cli
