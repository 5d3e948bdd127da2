// SPDX-License-Identifier: Apache-2.0
#include "tests/support/frozen_threads.h"

#include <filesystem>
#include <string>

#include <sys/ptrace.h>
#include <sys/wait.h>

#include "tests/support/process.h"

namespace ipmit::test {

FrozenThreads::FrozenThreads(pid_t process, std::string_view name) {
  const std::filesystem::path tasks = "/proc/" + std::to_string(process) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    if (read_file(task.path() / "comm") != std::string(name) + "\n") continue;
    const pid_t thread = std::stoi(task.path().filename().string());
    if (ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) continue;
    ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
    int status = 0;
    if (waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status)) {
      threads_.push_back(thread);
    }
  }
}

FrozenThreads::~FrozenThreads() {
  for (const pid_t thread : threads_) ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
}

}  // namespace ipmit::test
