// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

namespace ipmit::common {

// Closes a file descriptor when it is no longer used; -1 is none. Belongs to one thread.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace ipmit::common
