// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.h"

namespace ipmit::cli {

// Reads a file of any size, "-" being `standard_input`, and hands it to `use` in pieces of at most
// 64 KiB; `start` is called before the first, once it is open. Problem: "FILE: cannot read:
// reason".
std::optional<common::Problem> read_in_pieces(const std::string& file, std::istream& standard_input,
                                              const std::function<void()>& start,
                                              const std::function<void(std::string_view)>& use);

}  // namespace ipmit::cli
