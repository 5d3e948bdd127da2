// SPDX-License-Identifier: Apache-2.0
#include "tests/support/process.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ipmit::test {
namespace {

constexpr std::uint16_t kFirstPort = 20'000;
constexpr std::uint16_t kPorts = 12'000;  // Linux gives outgoing connections 32768 and above
const char* const kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

// The name of a port as an abstract socket: taken by one process at a time, free again when it
// ends, however it ends.
bool lease(std::uint16_t port) {
  const std::string name = "ipmit-test-port-" + std::to_string(port);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(&address.sun_path[1], sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return true;  // kept open
  ::close(fd);
  return false;
}

template <typename Address>
bool can_bind(const Address& address, int family) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return family == AF_INET6;  // a machine without IPv6
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
                     errno == EADDRNOTAVAIL;
  ::close(fd);
  return bound;
}

bool is_free(std::uint16_t port) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_addr = in6addr_loopback;
  return can_bind(v4, AF_INET) && can_bind(v6, AF_INET6);
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* argv, char* const* envp, int in, int out) {
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // a test that is killed leaves nothing behind
  ::execve(argv[0], argv, envp);
  ::_exit(127);
}

pid_t spawn(const Arguments& command, const Environment& environment, int in, int out) {
  const std::string program = find_program(command.at(0));
  if (program.empty()) throw std::runtime_error(command[0] + ": no such program");
  std::vector<std::string> texts;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string name{text.substr(0, text.find('='))};
    if (!environment.contains(name) && name != "PATH") texts.emplace_back(text);
  }
  for (const auto& [name, value] : environment)
    texts.push_back(std::string(name).append("=").append(value));
  texts.push_back(std::string("PATH=") + kPath);
  std::vector<char*> envp, argv{const_cast<char*>(program.c_str())};
  for (auto& text : texts) envp.push_back(text.data());
  envp.push_back(nullptr);
  for (std::size_t i = 1; i < command.size(); ++i) {
    argv.push_back(const_cast<char*>(command[i].c_str()));
  }
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) fail("fork");
  if (pid == 0) become(argv.data(), envp.data(), in, out);
  return pid;
}

int shell_status(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

std::uint16_t free_port() {
  const auto start = static_cast<std::uint32_t>(::getpid()) * 17U;
  for (std::uint32_t i = 0; i < kPorts; ++i) {
    const auto port = static_cast<std::uint16_t>(kFirstPort + (start + i) % kPorts);
    if (is_free(port) && lease(port)) return port;
  }
  throw std::runtime_error("no free port");
}

TempDir::TempDir(std::string_view purpose) {
  std::string name = "/tmp/ipmit-" + std::string(purpose) + ".XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) fail(name);
  path_ = name;
  std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();  // catches what reading throws, for /proc of a process that has just gone
  return std::move(out).str();
}

std::optional<std::string> find_line(std::string_view text, const std::vector<std::string>& parts) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const bool all = std::all_of(parts.begin(), parts.end(), [&](const std::string& part) {
      return line.find(part) != std::string::npos;
    });
    if (all) return line;
  }
  return std::nullopt;
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  if (!out.flush()) throw std::runtime_error(path.string() + ": cannot write");
}

ChildProcess::ChildProcess(const Arguments& command, const std::filesystem::path& log,
                           const Environment& environment) {
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (in < 0 || out < 0) fail(log.string());
  pid_ = spawn(command, environment, in, out);
  ::close(in);
  ::close(out);
}

ChildProcess::~ChildProcess() {
  if (!running()) return;
  signal(SIGCONT);
  if (!stop(SIGTERM)) stop(SIGKILL);
}

bool ChildProcess::running() {
  return !wait(std::chrono::milliseconds(0));
}

void ChildProcess::signal(int number) const {
  if (!status_) ::kill(pid_, number);
}

std::optional<int> ChildProcess::wait(std::chrono::milliseconds deadline) {
  wait_until(
      [this] {
        int status = 0;
        if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = shell_status(status);
        return status_.has_value();
      },
      deadline);
  return status_;
}

std::optional<int> ChildProcess::stop(int number, std::chrono::milliseconds deadline) {
  signal(number);
  return wait(deadline);
}

CommandResult run_command(const Arguments& command, std::string_view input,
                          const Environment& environment) {
  TempDir files("command");
  write_file(files / "in", input);
  const int in = ::open((files / "in").c_str(), O_RDONLY | O_CLOEXEC);
  const int out = ::open((files / "out").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (in < 0 || out < 0) fail("open");
  const pid_t pid = spawn(command, environment, in, out);
  ::close(in);
  ::close(out);
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid) fail("waitpid");
  return {shell_status(status), read_file(files / "out")};
}

std::string find_program(std::string_view name) {
  if (name.find('/') != std::string_view::npos) {
    return ::access(std::string(name).c_str(), X_OK) == 0 ? std::string(name) : std::string();
  }
  std::istringstream folders{kPath};
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string path = folder + "/" + std::string(name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

}  // namespace ipmit::test
