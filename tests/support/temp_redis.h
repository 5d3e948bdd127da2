// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/support/process.h"

namespace ipmit::test {

// A redis-server of its own on a free loopback port and a unix socket, without persistence unless
// asked to save(). Ended by the destructor. One thread at a time.
class TempRedis {
 public:
  // `extra`: further options of redis-server ("--requirepass", "x", …).
  explicit TempRedis(Arguments extra = {});

  std::uint16_t port() const { return port_; }
  std::string url() const;       // redis://127.0.0.1:PORT
  std::string unix_url() const;  // redis+unix:///…
  std::string socket() const { return (directory_ / "redis.sock").string(); }

  // What redis-cli prints for it (not to a terminal), without the last line end.
  std::string cli(const Arguments& words, std::string_view input = {}) const;

  void kill();         // SIGKILL: whatever was not saved is lost
  void start();        // again after kill(), with what save() left; returns when it answers
  void pause() const;  // SIGSTOP: accepts connections and answers nothing
  void resume() const;
  void save() const;  // the dump a later start() loads

 private:
  TempDir directory_{"redis"};
  std::uint16_t port_ = free_port();
  Arguments extra_;
  std::unique_ptr<ChildProcess> server_;
};

// A redis-sentinel that watches `master` under the name "ipmit", decides alone and takes a master
// that is silent for half a second as gone.
class TempSentinel {
 public:
  explicit TempSentinel(const TempRedis& master);

  std::string url() const;  // redis+sentinel://127.0.0.1:PORT/ipmit
  std::string cli(const Arguments& words) const;
  std::uint16_t master_port() const;
  std::size_t replicas() const;  // that it knows to be up

 private:
  TempDir directory_{"sentinel"};
  std::uint16_t port_ = free_port();
  std::unique_ptr<ChildProcess> server_;
};

}  // namespace ipmit::test
