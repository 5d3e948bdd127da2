// SPDX-License-Identifier: Apache-2.0
#include "cli/line_client.h"

#include <array>
#include <cerrno>
#include <charconv>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/listen_address.h"

namespace ipmit::cli {
namespace {

constexpr std::size_t kMostBytes = 16U << 20U;

bool wait_for(int fd, short events, common::Duration deadline) {
  pollfd waiting{fd, events, 0};
  return poll(&waiting, 1, static_cast<int>(deadline.count())) > 0;
}

}  // namespace

LineClient::~LineClient() {
  if (fd_ >= 0) ::close(fd_);
}

bool LineClient::connect(const std::string& endpoint, common::Duration deadline) {
  const bool v6 = !endpoint.empty() && endpoint.front() == '[';
  const auto address = common::parse_listen_address((v6 ? "inet6:" : "inet:") + endpoint);
  if (!address) return false;
  if (fd_ >= 0) ::close(fd_);
  buffer_.clear();
  fd_ = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return false;
  const auto* name = reinterpret_cast<const sockaddr*>(&address->address);
  if (::connect(fd_, name, address->length) == 0) return true;
  int error = 0;
  socklen_t size = sizeof error;
  return errno == EINPROGRESS && wait_for(fd_, POLLOUT, deadline) &&
         getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

bool LineClient::send_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0)
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    else if (errno == EINTR)
      continue;
    else if (errno != EAGAIN || !wait_for(fd_, POLLOUT, common::Duration(5'000)))
      return false;
  }
  return true;
}

int LineClient::receive(common::Duration deadline) {
  std::array<char, 8192> chunk{};
  for (;;) {
    const ssize_t got = recv(fd_, chunk.data(), chunk.size(), 0);
    if (got > 0) {
      buffer_.append(chunk.data(), static_cast<std::size_t>(got));
      return 1;
    }
    if (got == 0) return 0;
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !wait_for(fd_, POLLIN, deadline)) return -1;
  }
}

std::optional<std::string> LineClient::read_line(common::Duration deadline) {
  for (;;) {
    const auto end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      return line;
    }
    if (buffer_.size() > kMostBytes || receive(deadline) <= 0) return std::nullopt;
  }
}

std::string LineClient::read_reply(common::Duration deadline) {
  for (;;) {
    const auto line = read_line(deadline);
    if (!line) return "";
    if (line->size() < 4 || (*line)[3] != '-') return *line;
  }
}

std::optional<std::string> LineClient::read_all(common::Duration deadline) {
  for (;;) {
    const int got = receive(deadline);
    if (got == 0) return std::move(buffer_);
    if (got < 0 || buffer_.size() > kMostBytes) return std::nullopt;
  }
}

std::optional<HttpReply> http_request(const std::string& endpoint, std::string_view method,
                                      std::string_view path, common::Duration deadline) {
  LineClient client;
  if (!client.connect(endpoint, deadline)) return std::nullopt;
  std::string request(method);
  request += ' ';
  request += path;
  request +=
      " HTTP/1.1\r\nHost: " + endpoint + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  if (!client.send_bytes(request)) return std::nullopt;
  const auto whole = client.read_all(deadline);
  if (!whole || whole->rfind("HTTP/1.", 0) != 0) return std::nullopt;
  HttpReply reply;
  const auto blank = whole->find(' ');
  const auto body = whole->find("\r\n\r\n");
  if (blank == std::string::npos || body == std::string::npos) return std::nullopt;
  std::from_chars(whole->data() + blank + 1, whole->data() + whole->size(), reply.status);
  reply.body = whole->substr(body + 4);
  return reply;
}

}  // namespace ipmit::cli
