// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/process.h"

namespace ipmit::test {

// A PostgreSQL server of its own, on a unix socket only, that does not care for power cuts. Runs as
// user postgres where the tests run as root. Ended by the destructor. One thread at a time.
class TempPostgres {
 public:
  TempPostgres();
  ~TempPostgres();
  // A standby that streams from `primary`, with all its databases.
  struct StandbyOf {
    const TempPostgres& primary;
  };
  explicit TempPostgres(StandbyOf of);
  TempPostgres(const TempPostgres&) = delete;
  TempPostgres& operator=(const TempPostgres&) = delete;

  // Why there can be none on this machine; empty: there can.
  static std::string missing();

  // A new empty database, and its name.
  std::string create_database();
  std::string url(std::string_view database, std::string_view user = "postgres") const;
  // Where its socket is: a host in a URL.
  std::string host() const { return directory_.path().string(); }

  // What psql prints for it, unaligned and without headers; throws where a statement fails.
  std::string sql(std::string_view database, std::string_view statements,
                  std::string_view user = "postgres") const;
  // The same, whatever comes out.
  CommandResult try_sql(std::string_view database, std::string_view statements,
                        std::string_view user = "postgres") const;

  void stop();   // as an administrator restarts it: sessions are ended
  void kill();   // as if it had crashed
  void start();  // again; returns when it answers
  // Of a standby: has everything that `primary` has; gets no more from it; becomes a primary.
  bool has_all_of(const TempPostgres& primary) const;
  void stop_receiving() const;
  void promote() const;
  void pause() const;  // SIGSTOP for the server and its sessions: connected and silent
  void resume() const;

 private:
  void own_directory() const;
  void signal_all(int number) const;

  TempDir directory_{"postgres"};
  int databases_ = 0;
  std::unique_ptr<ChildProcess> server_;
};

}  // namespace ipmit::test
