// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/smtp_sink.h"

namespace ipmit::test {

// A Postfix of its own: configuration, queue, data and log in a temporary directory, listeners on
// free loopback ports, two fake next hops. It carries the shipped fragment of conf/postfix, so what
// tests prove they prove of that. The system's Postfix is not touched. Needs root and Debian's
// postfix.
//
// Every listener lets loopback clients say XCLIENT and relays for everybody. Mail goes to sink(),
// but for what a FILTER gives to the transport "slow": that is delivered by recipient domain, of
// which example.org, example.net and example.com exist, to slow_sink().
class TempPostfix {
 public:
  struct Options {
    std::string default_action = "accept";
    bool filtered = true;              // false: without the filter and its tables
    bool chroot = false;               // smtpd and cleanup, as Debian does by default
    std::vector<std::string> main_cf;  // lines "name = value" that come last
  };
  // Why this machine cannot run it; nullopt if it can.
  static std::optional<std::string> missing();

  TempPostfix() : TempPostfix(Options()) {}
  explicit TempPostfix(const Options& options);
  ~TempPostfix();

  std::uint16_t port() const { return smtp_port_; }                   // 127.0.0.1
  std::uint16_t port6() const { return smtp6_port_; }                 // ::1
  std::uint16_t submission_port() const { return submission_port_; }  // wants AUTH
  std::uint16_t reentry_port() const { return reentry_port_; }
  static constexpr std::string_view kUser = "alice@example.com";  // for submission_port()
  static constexpr std::string_view kOtherUser = "bob@example.com";
  static constexpr std::string_view kPassword = "secret";

  SmtpSink& sink() { return sink_; }
  SmtpSink& slow_sink() { return slow_sink_; }
  // Where the shipped fragment expects the filter.
  std::filesystem::path milter_socket() const { return queue_directory() / "ipmit/milter.sock"; }
  std::filesystem::path queue_directory() const { return directory_ / "queue"; }
  std::filesystem::path config_directory() const { return directory_ / "conf"; }
  const TempDir& directory() const { return directory_; }

  std::string log() const;
  // The first log line with all of these parts.
  std::optional<std::string> log_line(const std::vector<std::string>& parts) const;
  std::optional<std::string> wait_for_log(const std::vector<std::string>& parts) const;

  struct QueueEntry {
    std::string id, queue, sender;  // queue: "hold", "active", "deferred", …
    std::vector<std::string> recipients;
  };
  std::vector<QueueEntry> queue() const;
  std::optional<QueueEntry> queued(std::string_view id) const;

  // postsuper(1) and friends on this instance; the command's output.
  CommandResult postsuper(const std::string& option, const std::string& id) const;
  CommandResult flush() const;
  CommandResult check() const;
  // sendmail(1), as root or a user of this host would call it.
  CommandResult sendmail(const std::string& sender, const std::string& recipient,
                         std::string_view text) const;

 private:
  void make_directories() const;
  void write_configuration(const Options& options) const;
  void write_sasl() const;
  void start();
  void start_guard();

  TempDir directory_{"postfix"};
  SmtpSink sink_, slow_sink_;
  std::uint16_t smtp_port_ = free_port(), smtp6_port_ = free_port();
  std::uint16_t submission_port_ = free_port(), reentry_port_ = free_port();
  std::unique_ptr<ChildProcess> master_;
  pid_t guard_ = -1;
  int guard_pipe_ = -1;
};

}  // namespace ipmit::test
