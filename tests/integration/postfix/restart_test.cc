// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <mutex>
#include <thread>

#include <signal.h>
#include <sys/stat.h>

#include "tests/integration/postfix/mail_host.h"

namespace ipmit::test {
namespace {

// Clients that send sessions of three messages without pause, and note every reply but 250.
class Load {
 public:
  Load(std::uint16_t port, int clients) {
    for (int i = 0; i < clients; ++i) threads_.emplace_back([this, port] { run(port); });
  }
  ~Load() { stop(); }

  int sent() const { return sent_; }
  void wait_for_more(int count) const {
    const int goal = sent_ + count;
    EXPECT_TRUE(wait_until([&] { return sent_ >= goal; }));
  }
  std::vector<std::string> stop() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    return failures_;
  }

 private:
  void run(std::uint16_t port) {
    while (!stopping_) {
      SmtpClient session(port);
      session.xclient("ADDR=192.0.2.1");
      for (int i = 0; i < 3; ++i) {
        const auto reply = session.send("a@example.com", {"b@example.org"}, mail_text("load"));
        ++sent_;
        if (reply.code == 250) continue;
        const std::lock_guard lock(mutex_);
        failures_.push_back(reply.code == 0 ? "closed" : reply.text);
      }
      session.command("QUIT");
    }
  }

  std::atomic<bool> stopping_{false};
  std::atomic<int> sent_{0};
  std::mutex mutex_;
  std::vector<std::string> failures_;  // guarded by mutex_ until stop()
  std::vector<std::thread> threads_;
};

class Restart : public MailHost {
 protected:
  void SetUp() override {
    if (const auto reason = TempPostfix::missing()) GTEST_SKIP() << *reason;
    TempPostfix::Options options;
    options.default_action = "tempfail";  // so that no failure stays unseen
    open(options);
    milter_->put(rule("mail/blocked", Action::kReject, "203.0.113.9"));
  }
};

TEST_F(Restart, SuccessorTakesOverWithoutAFailedMessage) {
  milter_->start();
  Load load(postfix_->port(), 3);
  load.wait_for_more(15);
  for (int round = 0; round < 3; ++round) {
    auto successor = std::make_unique<TempMilter>(*postfix_);
    successor->start();
    load.wait_for_more(15);
    // The predecessor sees that the path is no longer its own, and ends when its sessions have.
    EXPECT_EQ(milter_->process().wait(), 0) << milter_->log();
    load.wait_for_more(15);
    EXPECT_TRUE(std::filesystem::is_socket(postfix_->milter_socket()))
        << "the old one leaves the new one's socket alone";
    milter_ = std::move(successor);
    EXPECT_EQ(send("203.0.113.9", "blocked").code, 550);
  }
  EXPECT_THAT(load.stop(), IsEmpty());
  EXPECT_FALSE(postfix_->log_line({"warning: connect to Milter service"}));
}

TEST_F(Restart, SigtermLetsOpenSessionsFinish) {
  milter_->start();
  auto session = client_at("192.0.2.1");
  ASSERT_EQ(session->command("MAIL FROM:<a@example.com>").code, 250);
  milter_->process().signal(SIGTERM);
  ASSERT_TRUE(wait_until([&] { return milter_->metric("ipmit_milter_draining") == 1.0; }));
  EXPECT_EQ(session->command("RCPT TO:<b@example.org>").code, 250);
  EXPECT_EQ(session->command("DATA").code, 354);
  EXPECT_EQ(session->text(mail_text("drained")).code, 250);
  EXPECT_EQ(session->send("a@example.com", {"b@example.org"}, mail_text("next")).code, 250);
  session->command("QUIT");
  EXPECT_EQ(milter_->process().wait(), 0) << milter_->log();
  const auto message = postfix_->sink().wait_for("mark drained");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->count_headers("X-Ipmit-Trace"), 1U);
}

TEST_F(Restart, GraceEndsADrainWithSessionsOpen) {
  milter_->start({{"drain_grace", "1s"}});
  auto session = client_at("192.0.2.1");
  ASSERT_EQ(session->command("MAIL FROM:<a@example.com>").code, 250);
  EXPECT_EQ(milter_->process().stop(SIGTERM), 0) << milter_->log();
}

TEST_F(Restart, SighupReadsSettingsWithoutCuttingASession) {
  milter_->start({{"never_match_networks", "[203.0.113.0/24]"}});
  auto session = client_at("203.0.113.9");
  ASSERT_EQ(session->send("a@example.com", {"b@example.org"}, mail_text("free")).code, 250);
  milter_->daemon().write_settings({{"never_match_networks", "[127.0.0.0/8]"}});
  milter_->process().signal(SIGHUP);
  EXPECT_TRUE(wait_until([&] { return send("203.0.113.9", "x").code == 550; }));
  EXPECT_EQ(session->command("NOOP").code, 250);
  EXPECT_TRUE(milter_->is_running());

  // A bad file changes nothing.
  milter_->daemon().append_to_settings("  no_such_key: 1\n");
  milter_->process().signal(SIGHUP);
  EXPECT_TRUE(milter_->wait_for_log({"no_such_key"})) << milter_->log();
  EXPECT_EQ(send("203.0.113.9", "x").code, 550);
  EXPECT_EQ(send("192.0.2.1", "fine").code, 250);
}

TEST_F(Restart, SocketHasTheRightsThatPostfixNeedsAndNoMore) {
  milter_->start();
  struct stat info {};
  ASSERT_EQ(::stat(postfix_->milter_socket().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0660U);
}

}  // namespace
}  // namespace ipmit::test
