// SPDX-License-Identifier: Apache-2.0
#include "tests/support/slow_proxy.h"

#include <algorithm>
#include <array>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/socket_io.h"

namespace ipmit::test {
namespace {

constexpr int kLook = 20;  // ms: how soon an end is noticed

int connect_to(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

// What can be read now; empty: the end.
std::string read_some(int fd) {
  std::array<char, 65'536> bytes;
  const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
  return {bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

SlowProxy::SlowProxy(std::uint16_t listen_port, std::uint16_t server_port)
    : server_port_(server_port),
      listener_(listen_on(listen_port)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

SlowProxy::~SlowProxy() {
  thread_.request_stop();
  thread_.join();
  for (const Pair& pair : pairs_) {
    ::close(pair.client);
    ::close(pair.server);
  }
  ::close(listener_);
}

void SlowProxy::add_pair() {
  const int client = ::accept(listener_, nullptr, nullptr);
  const int server = connect_to(server_port_);
  if (server < 0) {
    ::close(client);
    return;
  }
  const int one = 1;
  for (const int fd : {client, server})
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  pairs_.push_back({client, server});
}

int SlowProxy::wait_ms() const {
  auto wait = std::chrono::milliseconds(kLook);
  for (const Pair& pair : pairs_)
    if (!pair.answers.empty())
      wait = std::min(wait, std::chrono::ceil<std::chrono::milliseconds>(pair.answers.front().due -
                                                                         Clock::now()));
  return static_cast<int>(std::max<std::int64_t>(wait.count(), 0));
}

void SlowProxy::pass(Pair& pair, bool from_client, bool from_server) {
  if (from_client) {
    const std::string bytes = read_some(pair.client);
    pair.open = !bytes.empty() && write_all(pair.server, bytes);
  }
  if (pair.open && from_server) {
    std::string bytes = read_some(pair.server);
    pair.open = !bytes.empty();
    pair.answers.push_back({Clock::now() + delay_.load(), std::move(bytes)});
  }
  while (pair.open && !pair.answers.empty() && pair.answers.front().due <= Clock::now()) {
    pair.open = write_all(pair.client, pair.answers.front().bytes);
    pair.answers.pop_front();
  }
}

void SlowProxy::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<pollfd> waits = {{listener_, POLLIN, 0}};
    for (const Pair& pair : pairs_) {
      waits.push_back({pair.client, POLLIN, 0});
      waits.push_back({pair.server, POLLIN, 0});
    }
    ::poll(waits.data(), waits.size(), wait_ms());
    std::size_t at = 1;
    for (Pair& pair : pairs_) {
      pass(pair, waits[at].revents != 0, waits[at + 1].revents != 0);
      at += 2;
    }
    pairs_.remove_if([](const Pair& pair) {
      if (pair.open) return false;
      ::close(pair.client);
      ::close(pair.server);
      return true;
    });
    if (waits[0].revents != 0) add_pair();
  }
}

}  // namespace ipmit::test
