// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace ipmit::schema {

// One key for all controllers of a database: "ipmit" in ASCII.
inline constexpr std::int64_t kControllerLock = 0x69706d6974;

// The application_name of the session that holds the lock `key` in the database of `url`; empty:
// nobody does. Connects for this one question; throws the errors of PostgresConnection.
std::string lock_holder(const std::string& url, std::int64_t key);

// Of several controllers one leads: the one that holds this PostgreSQL session-level advisory lock.
// The server gives it up when the session ends, so a leader that dies is replaced as soon as the
// server sees its connection gone; one that hangs, or whose host is gone, after 10 s of silence.
// (A thread of the holder breaks the silence, so its work may take longer.) Use it from one thread;
// a call blocks for one or two round trips, or for 10 s if the server is silent.
class LeaderLock {
 public:
  // Connects at the first use. `url` "postgresql://…"; `name` is what lock_holder() tells others.
  LeaderLock(const std::string& url, std::int64_t key, std::string name);
  ~LeaderLock();
  LeaderLock(const LeaderLock&) = delete;
  LeaderLock& operator=(const LeaderLock&) = delete;

  // true: this instance holds the lock now (also when it held it before). Never waits for another
  // holder. TransientError: the server is not reachable.
  bool try_acquire();

  // Asks the server over the session that took the lock. TransientError: that session is gone, and
  // the lock with it.
  void check();

  void release();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ipmit::schema
