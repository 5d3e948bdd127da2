// SPDX-License-Identifier: Apache-2.0
#include "milter/listener.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/error.h"
#include "common/milter_wire.h"

namespace ipmit::milter {
namespace {

using common::PermanentError;

[[noreturn]] void fail(const std::string& what) {
  throw PermanentError(what + ": " + std::generic_category().message(errno));
}

int new_socket(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("cannot make a socket");
  return fd;
}

// Listens where nobody finds it: an abstract name the kernel picks. -1: no descriptor free.
int make_idle_socket() {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const sa_family_t autobind = AF_UNIX;
  sockaddr_un name{};
  name.sun_family = autobind;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof autobind) != 0 ||
      listen(fd, 1) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

std::optional<gid_t> find_group(const std::string& name) {
  if (name.empty()) return std::nullopt;
  std::vector<char> buffer(16384);
  group entry{};
  group* found = nullptr;
  if (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    throw PermanentError("socket group '" + name + "' does not exist");
  }
  return found->gr_gid;
}

// A socket left by a crash or held by a predecessor may be replaced, anything else is not ours.
void check_replaceable(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return;
    fail("cannot look at " + path);
  }
  if (!S_ISSOCK(info.st_mode)) {
    throw PermanentError(path + " exists and is not a socket; move it away or choose another path");
  }
}

std::string name_of(int socket) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&name), &length) != 0) return {};
  if (name.ss_family == AF_INET || name.ss_family == AF_INET6) {
    // An accepted connection has the address the client used, the listener perhaps a wildcard.
    const auto* in =
        reinterpret_cast<const sockaddr_in*>(&name);  // the port is at one place in both
    return "port " + std::to_string(in->sin_port);
  }
  return {reinterpret_cast<const char*>(&name), length};
}

}  // namespace

Listener::Listener(Options options) : options_(std::move(options)) {
  find_group(options_.group);  // throws if there is none
  if (options_.address.is_unix()) check_replaceable(options_.address.path);
}

Listener::~Listener() {
  // fd_ belongs to libmilter, whose listener thread may still look at it.
  if (!temporary_.empty()) unlink(temporary_.c_str());
  if (listening_ >= 0) close(listening_);
  if (idle_ >= 0) close(idle_);
}

void Listener::open() {
  const std::lock_guard lock(mutex_);
  idle_ = make_idle_socket();
  if (idle_ < 0) fail("cannot make a socket");
  listening_ = options_.address.is_unix() ? bind_unix() : bind_tcp();
  fd_ = fcntl(listening_, F_DUPFD_CLOEXEC, 0);
  if (fd_ < 0) fail("cannot duplicate the socket");
}

void Listener::publish() {
  const std::lock_guard lock(mutex_);
  if (options_.address.is_unix()) rename_to_path();
}

int Listener::bind_unix() {
  const std::string& path = options_.address.path;
  const std::string temporary =
      path.substr(0, path.rfind('/') + 1) + "." + std::to_string(getpid()) + ".new";
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  temporary.copy(name.sun_path, sizeof name.sun_path - 1);
  const int fd = new_socket(AF_UNIX);
  unlink(temporary.c_str());  // of a process that had this id and crashed
  if (bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
    fail("cannot bind a socket in the directory of " + path);
  }
  const auto group = find_group(options_.group);
  struct stat info {};
  // Nobody can connect before listen(), so the rights are right from the first moment.
  if ((group && chown(temporary.c_str(), static_cast<uid_t>(-1), *group) != 0) ||
      chmod(temporary.c_str(), options_.mode) != 0 || lstat(temporary.c_str(), &info) != 0 ||
      listen(fd, options_.backlog) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    errno = error;
    fail("cannot give the socket its mode and group in the directory of " + path);
  }
  temporary_ = temporary;
  device_ = info.st_dev;
  inode_ = info.st_ino;
  old_local_name_ = std::exchange(local_name_, name_of(fd));
  return fd;
}

void Listener::rename_to_path() {
  const std::string& path = options_.address.path;
  check_replaceable(path);
  if (rename(temporary_.c_str(), path.c_str()) != 0) fail("cannot put the socket at " + path);
  temporary_.clear();
}

int Listener::bind_tcp() {
  const int fd = new_socket(options_.address.address.ss_family);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&options_.address.address),
           options_.address.length) != 0 ||
      listen(fd, options_.backlog) != 0) {
    fail("cannot listen on the configured address");
  }
  local_name_ = name_of(fd);
  return fd;
}

ListenAddress Listener::reachable_at() const {
  const std::lock_guard lock(mutex_);
  return local_address();
}

ListenAddress Listener::local_address() const {
  ListenAddress result = options_.address;
  if (!temporary_.empty()) result.path = temporary_;
  if (result.is_unix() || listening_ < 0) return result;
  result.length = sizeof result.address;
  getsockname(listening_, reinterpret_cast<sockaddr*>(&result.address), &result.length);
  return result;
}

void Listener::pause() {
  const std::lock_guard lock(mutex_);
  if (paused_ || stopped_) return;
  if (idle_ < 0) idle_ = make_idle_socket();
  if (idle_ < 0) return;
  dup2(idle_, fd_);
  paused_ = true;
}

void Listener::resume() {
  const std::lock_guard lock(mutex_);
  if (!paused_ || stopped_) return;
  dup2(listening_, fd_);
  paused_ = false;
  wake_poll(std::exchange(idle_, -1));
  idle_ = make_idle_socket();
}

// libmilter may be inside a poll() of some seconds that began when fd_ was `before`. Such a poll is
// woken by that socket alone, but then looks at what fd_ refers to now, and sleeps on if that is
// not ready. So first make it ready, by a connection of ours that ends at once, then wake the poll.
void Listener::wake_poll(int before) {
  common::WireClient knock;
  if (local_path_owner() == PathOwner::kOurs) {
    knock.connect(local_address(), common::Duration{100});
  }
  shutdown(before, SHUT_RDWR);
  close(before);
}

bool Listener::is_paused() const {
  const std::lock_guard lock(mutex_);
  return paused_;
}

void Listener::stop(int patience_ms) {
  resume();
  for (; patience_ms > 0; --patience_ms) {
    pollfd waiting{};
    {
      const std::lock_guard lock(mutex_);
      waiting = {listening_, POLLIN, 0};
    }
    if (poll(&waiting, 1, 0) <= 0) break;
    poll(nullptr, 0, 1);
  }
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  if (idle_ < 0) idle_ = make_idle_socket();
  stopped_ = true;
  if (idle_ < 0) return;  // no descriptor at all: then nothing can be accepted either
  dup2(idle_, fd_);
  shutdown(listening_, SHUT_RDWR);  // wakes libmilter's poll and refuses who still connects
  close(std::exchange(listening_, -1));
}

Listener::PathOwner Listener::path_owner() const {
  const std::lock_guard lock(mutex_);
  return local_path_owner();
}

Listener::PathOwner Listener::local_path_owner() const {
  if (!options_.address.is_unix()) return PathOwner::kOurs;
  struct stat info {};
  if (lstat(options_.address.path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) {
    return PathOwner::kNobody;
  }
  return info.st_dev == device_ && info.st_ino == inode_ ? PathOwner::kOurs : PathOwner::kSuccessor;
}

void Listener::reopen() {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  const int fresh = bind_unix();
  rename_to_path();
  const int old = std::exchange(listening_, fresh);
  if (!paused_) dup2(fresh, fd_);
  wake_poll(old);
}

std::size_t Listener::open_connections() const {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  if (!directory) return 0;
  std::size_t count = 0;
  const std::lock_guard lock(mutex_);
  while (const dirent* entry = readdir(directory.get())) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == fd_ || fd == listening_) continue;
    int accepting = 0;
    socklen_t length = sizeof accepting;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &length) != 0 || accepting != 0) {
      continue;
    }
    const std::string name = name_of(fd);
    if (name == local_name_ || (!old_local_name_.empty() && name == old_local_name_)) ++count;
  }
  return count;
}

}  // namespace ipmit::milter
