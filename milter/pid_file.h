// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ipmit::milter {

// The process id as a file, for scripts and `ipmitctl drain`. A successor replaces it by rename, so
// the destructor removes it only while it holds our own id. An empty path does nothing.
class PidFile {
 public:
  // PermanentError if it cannot be written.
  explicit PidFile(std::string path);
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

 private:
  const std::string path_;
};

}  // namespace ipmit::milter
