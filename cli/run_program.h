// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "common/clock.h"

namespace ipmit::cli {

// What a helper program said. exit_code is 127 if it could not be started and 124 if it was killed
// because it took longer than the deadline.
struct Ran {
  int exit_code = 127;
  std::string out;
  std::string err;
};

// Runs argv[0], looked for in $PATH and in the directories of administrators' programs, without a
// shell and with no input. Output is kept up to 4 MiB of each stream. Blocks up to `deadline`.
Ran run_program(const std::vector<std::string>& argv, common::Duration deadline);

}  // namespace ipmit::cli
