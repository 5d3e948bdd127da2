// SPDX-License-Identifier: Apache-2.0
#include "milter/pid_file.h"

#include <cstdio>
#include <fstream>
#include <utility>

#include <unistd.h>

#include "common/error.h"

namespace ipmit::milter {

PidFile::PidFile(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  const std::string temporary = path_ + "." + std::to_string(getpid());
  std::ofstream file(temporary, std::ios::trunc);
  file << getpid() << '\n';
  file.close();
  if (!file || std::rename(temporary.c_str(), path_.c_str()) != 0) {
    unlink(temporary.c_str());
    throw common::PermanentError("cannot write the pid file " + path_);
  }
}

PidFile::~PidFile() {
  if (path_.empty()) return;
  std::ifstream file(path_);
  pid_t pid = 0;
  if (file >> pid && pid == getpid()) unlink(path_.c_str());
}

}  // namespace ipmit::milter
