// SPDX-License-Identifier: Apache-2.0
#include "tests/support/temp_postgres.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

namespace ipmit::test {
namespace {

constexpr const char* kUser = "postgres";

// Debian keeps the server's programs out of PATH, in a directory for each version.
std::string server_program(const std::string& name) {
  std::vector<std::filesystem::path> versions;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored))
    if (std::filesystem::exists(entry.path() / "bin" / name)) versions.push_back(entry.path());
  if (versions.empty()) return find_program(name);
  return *std::max_element(versions.begin(), versions.end()) / "bin" / name;
}

// The server refuses to run as root.
Arguments as_server_user(Arguments command) {
  if (::geteuid() != 0) return command;
  Arguments whole = {"setpriv", std::string("--reuid=") + kUser, std::string("--regid=") + kUser,
                     "--init-groups"};
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

pid_t parent_of(const std::filesystem::path& process) {
  const std::string text = read_file(process / "stat");
  const auto name_end = text.rfind(')');
  return name_end == std::string::npos ? 0 : std::stoi(text.substr(name_end + 4));
}

}  // namespace

std::string TempPostgres::missing() {
  if (server_program("postgres").empty() || server_program("initdb").empty() ||
      find_program("psql").empty())
    return "no PostgreSQL server on this machine (package postgresql)";
  if (::geteuid() != 0) return {};
  if (::getpwnam(kUser) == nullptr)
    return "no user postgres, and the server refuses to run as root";
  if (find_program("setpriv").empty()) return "no setpriv to run the server as user postgres";
  return {};
}

void TempPostgres::own_directory() const {
  if (::geteuid() != 0) return;
  const passwd* user = ::getpwnam(kUser);
  if (user == nullptr || ::chown(directory_.path().c_str(), user->pw_uid, user->pw_gid) != 0)
    throw std::runtime_error("no user postgres");
}

TempPostgres::TempPostgres(StandbyOf of) {
  own_directory();
  const auto made = run_command(as_server_user(
      {server_program("pg_basebackup"), "--no-sync", "-c", "fast", "-R", "-X", "stream", "-d",
       of.primary.url("postgres"), "-D", (directory_ / "data").string()}));
  if (made.status != 0) throw std::runtime_error("pg_basebackup: " + made.output);
  start();
}

TempPostgres::TempPostgres() {
  own_directory();
  const auto made = run_command(
      as_server_user({server_program("initdb"), "--no-sync", "-A", "trust", "-U", kUser, "-E",
                      "UTF8", "--locale=C.UTF-8", "-D", (directory_ / "data").string()}));
  if (made.status != 0) throw std::runtime_error("initdb: " + made.output);
  start();
}

TempPostgres::~TempPostgres() {
  if (server_ && server_->running()) resume();  // what is stopped could not end
}

std::string TempPostgres::create_database() {
  const std::string name = "test" + std::to_string(++databases_);
  sql("postgres", "CREATE DATABASE " + name);
  return name;
}

std::string TempPostgres::url(std::string_view database, std::string_view user) const {
  return "postgresql://" + std::string(user) + "@/" + std::string(database) +
         "?host=" + directory_.path().string();
}

CommandResult TempPostgres::try_sql(std::string_view database, std::string_view statements,
                                    std::string_view user) const {
  return run_command({"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url(database, user)},
                     statements);
}

std::string TempPostgres::sql(std::string_view database, std::string_view statements,
                              std::string_view user) const {
  CommandResult result = try_sql(database, statements, user);
  if (result.status != 0) throw std::runtime_error("psql: " + result.output);
  while (!result.output.empty() && result.output.back() == '\n') result.output.pop_back();
  return result.output;
}

void TempPostgres::start() {
  const auto log = directory_ / "postgres.log";
  Arguments command = {server_program("postgres"), "-D", (directory_ / "data").string()};
  for (const std::string& setting :
       {std::string("listen_addresses="), "unix_socket_directories=" + directory_.path().string(),
        std::string("fsync=off"), std::string("shared_buffers=32MB"),
        std::string("max_connections=60")}) {
    command.emplace_back("-c");
    command.push_back(setting);
  }
  server_ = std::make_unique<ChildProcess>(as_server_user(command), log);
  if (!wait_until([this] { return try_sql("postgres", "SELECT 1").status == 0; }))
    throw std::runtime_error("postgres: " + read_file(log));
}

bool TempPostgres::has_all_of(const TempPostgres& primary) const {
  const std::string end = primary.sql("postgres", "SELECT pg_current_wal_flush_lsn()");
  return sql("postgres", "SELECT coalesce(pg_last_wal_replay_lsn() >= '" + end + "', false)") ==
         "t";
}

void TempPostgres::stop_receiving() const {
  sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
  sql("postgres", "SELECT pg_reload_conf()");
  if (!wait_until(
          [&] { return sql("postgres", "SELECT count(*) FROM pg_stat_wal_receiver") == "0"; }))
    throw std::runtime_error("the standby goes on to receive");
}

void TempPostgres::promote() const {
  if (sql("postgres", "SELECT pg_promote()") != "t")
    throw std::runtime_error("the standby is not promoted");
}

void TempPostgres::stop() {
  server_->stop(SIGINT);
}

void TempPostgres::kill() {
  server_->stop(SIGQUIT);
}

// Only processes whose parent is our server.
void TempPostgres::signal_all(int number) const {
  server_->signal(number);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (parent_of(entry.path()) == server_->pid()) ::kill(std::stoi(name), number);
  }
}

void TempPostgres::pause() const {
  signal_all(SIGSTOP);
}
void TempPostgres::resume() const {
  signal_all(SIGCONT);
}

}  // namespace ipmit::test
