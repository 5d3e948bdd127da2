// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/verbs.h"
#include "common/clock.h"
#include "common/log.h"

int main(int argc, char** argv) {
  using namespace ipmit;
  common::start_log("ipmitctl", common::LogLevel::kWarn);
  cli::Context context(std::cin, std::cout, std::cerr);
  context.now = [now = common::now()] { return now; };  // one command happens at one time
  context.who = cli::current_person();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const cli::ExitCode code = cli::run_command_line(arguments, cli::all_verbs(), context);
  std::cout.flush();
  return std::cout ? code : cli::kEnvironment;  // a full disk or a closed pipe is no success
}
