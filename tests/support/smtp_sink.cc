// SPDX-License-Identifier: Apache-2.0
#include "tests/support/smtp_sink.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ipmit::test {
namespace {

// The text between the first '<' and its '>'.
std::string bracketed(std::string_view line) {
  const auto from = line.find('<');
  const auto to = line.find('>', from);
  if (from == std::string_view::npos || to == std::string_view::npos) return {};
  return std::string(line.substr(from + 1, to - from - 1));
}

bool is_command(std::string_view line, std::string_view word) {
  return line.size() >= word.size() && ::strncasecmp(line.data(), word.data(), word.size()) == 0;
}

bool names(std::string_view line, std::string_view name) {
  return is_command(line, name) && line.size() > name.size() && line[name.size()] == ':';
}

}  // namespace

std::optional<std::string> SmtpSink::Message::header(std::string_view name) const {
  std::istringstream lines(text);
  std::optional<std::string> value;
  for (std::string line; std::getline(lines, line) && !line.empty();) {
    const bool folded = line[0] == ' ' || line[0] == '\t';
    if (value && !folded) break;
    if (value) {
      *value += line;
    } else if (!folded && names(line, name)) {
      const auto start = line.find_first_not_of(" \t", name.size() + 1);
      value = start == std::string::npos ? "" : line.substr(start);
    }
  }
  return value;
}

std::size_t SmtpSink::Message::count_headers(std::string_view name) const {
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line) && !line.empty();) count += names(line, name);
  return count;
}

std::string SmtpSink::Message::body() const {
  const auto gap = text.find("\n\n");
  return gap == std::string::npos ? std::string() : text.substr(gap + 2);
}

SmtpSink::SmtpSink()
    : port_(free_port()), listener_(listen_on(port_)), acceptor_([this] { accept_loop(); }) {}

SmtpSink::~SmtpSink() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);  // wakes accept()
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& socket : sockets_) socket.shut();
  }
  for (auto& session : sessions_) session.join();
  ::close(listener_);
}

void SmtpSink::accept_loop() {
  while (!stopping_) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const std::lock_guard lock(mutex_);
    LineSocket& socket = sockets_.emplace_back(fd);
    sessions_.emplace_back([this, &socket] { serve(socket); });
  }
}

void SmtpSink::serve(LineSocket& socket) {
  socket.write("220 sink.example ESMTP\r\n");
  Message message;
  while (const auto line = socket.read_line(std::chrono::minutes(10))) {
    std::string reply = "250 2.0.0 Ok";
    if (is_command(*line, "MAIL")) {
      message = {.sender = bracketed(*line), .recipients = {}, .text = {}};
    } else if (is_command(*line, "RCPT")) {
      const std::lock_guard lock(mutex_);
      if (refusal_.empty()) message.recipients.push_back(bracketed(*line));
      if (!refusal_.empty()) reply = refusal_;
    } else if (is_command(*line, "DATA")) {
      if (message.recipients.empty()) {
        reply = "554 5.5.1 No valid recipients";
      } else if (!receive_message(socket, std::exchange(message, {}))) {
        break;
      }
    } else if (is_command(*line, "QUIT")) {
      socket.write("221 2.0.0 Bye\r\n");
      break;
    }
    if (!socket.write(reply + "\r\n")) break;
  }
  socket.shut();
}

bool SmtpSink::receive_message(LineSocket& socket, Message message) {
  socket.write("354 Go on\r\n");
  while (auto line = socket.read_line(std::chrono::minutes(10))) {
    if (*line == ".") {
      const std::lock_guard lock(mutex_);
      messages_.push_back(std::move(message));
      return true;
    }
    message.text += line->starts_with('.') ? line->substr(1) : *line;
    message.text += '\n';
  }
  return false;
}

std::vector<SmtpSink::Message> SmtpSink::messages() const {
  const std::lock_guard lock(mutex_);
  return messages_;
}

std::optional<SmtpSink::Message> SmtpSink::find(std::string_view mark) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(messages_.begin(), messages_.end(), [&](const Message& message) {
    return message.text.find(mark) != std::string::npos;
  });
  return found == messages_.end() ? std::nullopt : std::optional(*found);
}

std::optional<SmtpSink::Message> SmtpSink::wait_for(std::string_view mark,
                                                    std::chrono::milliseconds deadline) const {
  std::optional<Message> found;
  wait_until([&] { return (found = find(mark)).has_value(); }, deadline);
  return found;
}

void SmtpSink::refuse_recipients(std::string reply) {
  const std::lock_guard lock(mutex_);
  refusal_ = std::move(reply);
}

}  // namespace ipmit::test
