// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include <sys/types.h>

namespace ipmit::test {

// Some threads of another process stand still, by ptrace(2), until the destructor; the others go
// on. Create and destroy on one thread.
class FrozenThreads {
 public:
  // All threads whose name is `name` (as `ps -T` shows it).
  FrozenThreads(pid_t process, std::string_view name);
  ~FrozenThreads();
  FrozenThreads(const FrozenThreads&) = delete;
  FrozenThreads& operator=(const FrozenThreads&) = delete;

  // 0: none has that name, or the system allows no ptrace.
  std::size_t count() const { return threads_.size(); }

 private:
  std::vector<pid_t> threads_;
};

}  // namespace ipmit::test
