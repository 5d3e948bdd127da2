// SPDX-License-Identifier: Apache-2.0
#include "tests/support/daemon.h"

#include <sstream>
#include <stdexcept>
#include <utility>

#include "tests/support/socket_io.h"

namespace ipmit::test {

HttpAnswer http_ask(std::uint16_t port, std::string_view method, std::string_view path) {
  HttpAnswer answer;
  try {
    LineSocket socket = LineSocket::connect("127.0.0.1", port);
    socket.write(std::string(method) + " " + std::string(path) +
                 " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    const auto status = socket.read_line(kPatience);
    if (!status || status->size() < 12) return answer;
    std::size_t length = 0;
    while (const auto line = socket.read_line(kPatience)) {
      if (line->empty()) break;
      if (line->starts_with("Content-Length: ")) length = std::stoul(line->substr(16));
    }
    const auto body = socket.read_bytes(length, kPatience);
    if (!body) return answer;
    answer.body = *body;
    answer.status = std::stoi(status->substr(9, 3));
  } catch (const std::runtime_error&) {
    return {};
  }
  return answer;
}

double http_metric(std::uint16_t port, std::string_view name_and_labels) {
  std::istringstream lines(http_ask(port, "GET", "/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(std::string(name_and_labels) + " ")) {
      return std::stod(line.substr(name_and_labels.size() + 1));
    }
  }
  return -1;
}

Daemon::Daemon(const TempDir& directory, std::string program, const std::string& name,
               std::uint16_t http_port)
    : program_(std::string(IPMIT_PROGRAM_DIR) + "/" + std::move(program)),
      config_(directory / (name + ".yaml")),
      log_(directory / (name + ".log")),
      http_port_(http_port) {}

void Daemon::start() {
  process_.reset();
  process_ =
      std::make_unique<ChildProcess>(Arguments{program_, "--config", config_.string()}, log_);
}

bool Daemon::wait_for_log(std::string_view part) const {
  return wait_until([&] { return log().find(part) != std::string::npos; });
}

}  // namespace ipmit::test
