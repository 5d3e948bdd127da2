// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include <sys/types.h>

#include "common/listen_address.h"

namespace ipmit::milter {

using common::ListenAddress;

// The socket that Postfix connects to. libmilter polls and accepts on one descriptor, fd(), and has
// no way to pause or to stop; this class decides what that descriptor refers to: the listening
// socket, or an idle one that nobody can connect to. docs/decisions/0031.
//
// A unix socket is bound to a temporary name, gets its mode and group, and is renamed over the
// path: it is never visible with other rights, and it replaces a stale socket or that of a running
// predecessor in one step. The path is never unlinked, it may be the successor's. Thread-safe.
class Listener {
 public:
  struct Options {
    ListenAddress address;
    mode_t mode = 0660;
    std::string group;  // of a unix socket; empty: unchanged
    int backlog = 1024;
  };

  // PermanentError, from here, open() and publish(): unknown group, something that is not a socket
  // at the path, no right to bind, address in use.
  explicit Listener(Options options);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // open() listens under the temporary name, so that all else can be made ready and probed;
  // publish() shows it to Postfix. TCP has nothing to hide: publish() does nothing.
  void open();
  void publish();
  int fd() const { return fd_; }
  // Where it can be reached now: the temporary name before publish(), a real port for port 0.
  ListenAddress reachable_at() const;

  // New connections wait in the backlog until resume(). Both may be called in any state and by any
  // thread, take some microseconds and never need a free descriptor to pause.
  void pause();
  void resume();
  bool is_paused() const;

  // No new connections from now on, for good. Waits up to `patience_ms` until libmilter has taken
  // those in the backlog, so that none is lost when a successor has the path.
  void stop(int patience_ms);

  // Who has the path: us, a successor's socket, or nobody (removed, or no socket any more).
  enum class PathOwner : std::uint8_t { kOurs, kSuccessor, kNobody };
  PathOwner path_owner() const;  // TCP: always kOurs
  // After kNobody: binds and renames again; sessions are not touched.
  void reopen();

  // Connections that were accepted here and are still open, those that have not negotiated
  // included. Reads /proc/self/fd: for drain and tests.
  std::size_t open_connections() const;

 private:
  int bind_unix();
  void rename_to_path();
  int bind_tcp();
  void wake_poll(int before);
  ListenAddress local_address() const;
  PathOwner local_path_owner() const;

  const Options options_;
  int fd_ = -1;  // libmilter's; set by open() for good

  mutable std::mutex mutex_;
  int listening_ = -1;  // guarded by mutex_; -1: stopped
  int idle_ = -1;       // guarded by mutex_; made ahead, since pausing happens when none are free
  bool paused_ = false;
  bool stopped_ = false;
  std::string temporary_;       // bound but not renamed yet
  std::string local_name_;      // getsockname() of the listening socket, as bytes
  std::string old_local_name_;  // before reopen()
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace ipmit::milter
