// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>

// What a fuzz target promises beyond not crashing; a false one ends the program, which both runners
// report with the input.
inline void require(bool promise) {
  if (!promise) std::abort();
}
