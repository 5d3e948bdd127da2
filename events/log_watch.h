// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <stop_token>

namespace ipmit::events {

// Sleeps until a log file or its folder changes (inotify). Belongs to one thread.
class LogWatch {
 public:
  // PermanentError if the folder of `file` cannot be watched.
  explicit LogWatch(const std::filesystem::path& file);
  ~LogWatch();
  LogWatch(const LogWatch&) = delete;
  LogWatch& operator=(const LogWatch&) = delete;

  // Also wake for changes of this open file, wherever it was renamed to; the one before is dropped.
  void watch(int fd);

  // Until something changed since the last call, or `stop` is requested. Network file systems tell
  // nothing of what others write, so it also returns after 10 s.
  void wait(const std::stop_token& stop);

 private:
  int inotify_ = -1;
  int wake_ = -1;  // eventfd, written when stop is requested
  int file_watch_ = -1;
};

}  // namespace ipmit::events
