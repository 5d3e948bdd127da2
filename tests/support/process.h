// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

// What tests of real servers stand on: directories that vanish, ports that nobody else has,
// programs that are ended by their pid. Everything here throws std::runtime_error when the machine
// refuses, which fails the test with its reason. One thread at a time.
namespace ipmit::test {

inline constexpr std::chrono::milliseconds kPatience{20'000};

// Asks every few milliseconds; false when `deadline` passed without a true answer.
bool wait_until(const std::function<bool()>& condition,
                std::chrono::milliseconds deadline = kPatience);

// A loopback port (IPv4 and IPv6) that is free now and is given to no other caller, in this or
// another test process, while this process lives. Below the range that the kernel uses for outgoing
// connections.
std::uint16_t free_port();

// A new directory that its own user and all others may search; removed with everything in it.
class TempDir {
 public:
  explicit TempDir(std::string_view purpose);
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);  // empty where there is nothing
// The first line of `text` that has all of these parts.
std::optional<std::string> find_line(std::string_view text, const std::vector<std::string>& parts);
void write_file(const std::filesystem::path& path, std::string_view text);

using Arguments = std::vector<std::string>;  // the program first, found through PATH
using Environment = std::map<std::string, std::string>;

// A program in the background, ended at the latest by the destructor (SIGTERM, after `kPatience`
// SIGKILL) or when the thread that started it ends.
class ChildProcess {
 public:
  // `log` gets standard output and standard error, appended.
  ChildProcess(const Arguments& command, const std::filesystem::path& log,
               const Environment& environment = {});
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number) const;
  // Waits for the end: the exit status, or 128 + signal as a shell gives it; nullopt when it still
  // runs.
  std::optional<int> wait(std::chrono::milliseconds deadline = kPatience);
  std::optional<int> stop(int number, std::chrono::milliseconds deadline = kPatience);

 private:
  pid_t pid_ = -1;
  std::optional<int> status_;
};

struct CommandResult {
  int status = -1;
  std::string output;  // standard output and standard error
};
// Runs a command to its end with `input` as standard input.
CommandResult run_command(const Arguments& command, std::string_view input = {},
                          const Environment& environment = {});

// Full path of a program in PATH or a system administrator's directories; empty if there is none.
std::string find_program(std::string_view name);

}  // namespace ipmit::test
