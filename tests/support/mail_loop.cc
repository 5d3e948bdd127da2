// SPDX-License-Identifier: Apache-2.0
#include "tests/support/mail_loop.h"

#include "common/stoppable_wait.h"
#include "tests/support/process.h"
#include "tests/support/smtp_client.h"

namespace ipmit::test {

MailLoop::MailLoop(std::uint16_t port, std::chrono::milliseconds pause)
    : port_(port), pause_(pause), thread_([this](const std::stop_token& stop) { run(stop); }) {}

bool MailLoop::wait_for(int count) const {
  const int goal = sent_ + count;
  return wait_until([&] { return sent_ >= goal; });
}

std::vector<std::string> MailLoop::stop() {
  thread_ = std::jthread();
  return failures_;
}

void MailLoop::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    send("192.0.2.10", 250);
    send("203.0.113.66", 550);
    send("203.0.113.77", 250);
    common::wait_unless_stopped(pause_, stop);
  }
}

void MailLoop::send(const std::string& client, int want) {
  SmtpClient session(port_);
  session.xclient("ADDR=" + client);
  const SmtpReply reply =
      session.send("orders@example.com", {"reader@example.net"}, "Subject: order\n\nHello\n");
  ++sent_;
  if (reply.code != want)
    failures_.push_back(client + ": " + (reply.code == 0 ? "closed" : reply.text));
  session.command("QUIT");
}

}  // namespace ipmit::test
