// SPDX-License-Identifier: Apache-2.0
#include "cli/run_program.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ipmit::cli {
namespace {

constexpr std::size_t kMostBytes = 4U << 20U;

// root's PATH in cron and sudo often lacks /usr/sbin, where Postfix lives.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* variable = std::getenv("PATH");
  std::string path = std::string(variable != nullptr ? variable : "") + ":/usr/sbin:/sbin:/usr/bin";
  while (!path.empty()) {
    const auto colon = path.find(':');
    std::string candidate = path.substr(0, colon) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    path.erase(0, colon == std::string::npos ? path.size() : colon + 1);
  }
  return name;
}

class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) ends_ = {-1, -1};
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_end(std::size_t end) {
    if (ends_[end] >= 0) ::close(ends_[end]);
    ends_[end] = -1;
  }

 private:
  std::array<int, 2> ends_{};
};

pid_t start(const std::vector<std::string>& argv, const Pipe& out, const Pipe& err) {
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end(), 1);
  posix_spawn_file_actions_adddup2(&actions, err.write_end(), 2);
  pid_t pid = -1;
  const std::string program = find_program(argv.front());
  const int error = posix_spawn(&pid, program.c_str(), &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : -1;
}

// Appends what is there; false at the end of the stream.
bool drain_once(int fd, std::string& into) {
  std::array<char, 8192> chunk{};
  const ssize_t got = read(fd, chunk.data(), chunk.size());
  if (got < 0) return errno == EINTR;
  if (got == 0) return false;
  if (into.size() < kMostBytes) into.append(chunk.data(), static_cast<std::size_t>(got));
  return true;
}

// false: the deadline passed before both streams ended.
bool read_both(Pipe& out, Pipe& err, common::Duration deadline, Ran& ran) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (out.read_end() >= 0 || err.read_end() >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    std::array<pollfd, 2> waiting{{{out.read_end(), POLLIN, 0}, {err.read_end(), POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), static_cast<int>(left.count())) <= 0) continue;
    if (waiting[0].revents != 0 && !drain_once(out.read_end(), ran.out)) out.close_end(0);
    if (waiting[1].revents != 0 && !drain_once(err.read_end(), ran.err)) err.close_end(0);
  }
  return true;
}

}  // namespace

Ran run_program(const std::vector<std::string>& argv, common::Duration deadline) {
  Ran ran;
  Pipe out, err;
  const pid_t pid = start(argv, out, err);
  if (pid < 0) {
    ran.err = argv.front() + ": not found";
    return ran;
  }
  out.close_end(1);
  err.close_end(1);
  const bool ended = read_both(out, err, deadline, ran);
  if (!ended) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ran.exit_code = !ended ? 124 : WIFEXITED(status) ? WEXITSTATUS(status) : 127;
  return ran;
}

}  // namespace ipmit::cli
