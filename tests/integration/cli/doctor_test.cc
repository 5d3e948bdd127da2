// SPDX-License-Identifier: Apache-2.0
// ipmitctl beside a real Postfix and a real milter: doctor and drain.
#include <csignal>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/process.h"
#include "tests/support/temp_postfix.h"

namespace ipmit::test {
namespace {

class HostTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = TempPostfix::missing()) GTEST_SKIP() << *reason;
  }

  void start_postfix(const TempPostfix::Options& options) {
    postfix_ = std::make_unique<TempPostfix>(options);
    const std::string directory = postfix_->directory().path().string();
    config_ = directory + "/ipmit.yaml";
    metrics_port_ = free_port();
    write_file(config_, "store: sqlite:" + directory + "/ipmit.db\nmilter:\n  socket: unix:" +
                            postfix_->milter_socket().string() +
                            "\n  socket_group: postfix\n  metrics_listen: 127.0.0.1:" +
                            std::to_string(metrics_port_) + "\n  snapshot_file: " + directory +
                            "/rules\n  trace_key_file: " + directory +
                            "/trace.keys\n  drain_grace: 5s\n  reentry_ports: [" +
                            std::to_string(postfix_->reentry_port()) + "]\n");
    ASSERT_EQ(ctl({"migrate"}).status, 0);
  }
  void start_milter() {
    milter_ =
        std::make_unique<ChildProcess>(Arguments{program("ipmit-milter"), "--config", config_},
                                       postfix_->directory() / "milter.log");
    ASSERT_TRUE(wait_until([&] {
      return ctl({"doctor", "--no-postfix"}).status == 0;
    })) << read_file(postfix_->directory() / "milter.log");
  }

  static std::string program(const std::string& name) {
    return std::string(IPMIT_BINARY_DIR) + "/bin/" + name;
  }
  CommandResult ctl(Arguments words) const {
    words.insert(words.begin(), {program("ipmitctl"), "--config", config_});
    return run_command(words);
  }
  CommandResult doctor() const {
    return ctl({"doctor", "-c", postfix_->config_directory().string(), "--smtp",
                "127.0.0.1:" + std::to_string(postfix_->port())});
  }

  std::unique_ptr<TempPostfix> postfix_;
  std::unique_ptr<ChildProcess> milter_;
  std::string config_;
  std::uint16_t metrics_port_ = 0;
};

TEST_F(HostTest, TheShippedFragmentsPassInAndOutOfAChroot) {
  for (const bool chroot : {false, true}) {
    milter_.reset();
    start_postfix({.chroot = chroot, .main_cf = {}});
    start_milter();
    const CommandResult result = doctor();
    EXPECT_EQ(result.status, 0) << result.output;
    EXPECT_NE(result.output.find("OK    probe: a MAIL command at 127.0.0.1:"), std::string::npos)
        << result.output;
    EXPECT_NE(result.output.find("negotiates at unix:"), std::string::npos);
    EXPECT_NE(result.output.find("and asks for its macros"), std::string::npos) << result.output;
    EXPECT_NE(result.output.find("\n0 failed, 0 warnings\n"), std::string::npos) << result.output;
  }
}

TEST_F(HostTest, APostfixThatDoesNotAskIsFoundByItsSettingsAndByTheProbe) {
  start_postfix({.filtered = false, .main_cf = {}});
  start_milter();
  const CommandResult result = doctor();
  EXPECT_EQ(result.status, 1) << result.output;
  for (const char* part :
       {"FAIL  smtpd_milters: ", "WARN  non_smtpd_milters: ", "FAIL  milter_header_checks: ",
        "FAIL  header_checks: ", "but the milter never saw it"})
    EXPECT_NE(result.output.find(part), std::string::npos) << part << "\n" << result.output;
}

TEST_F(HostTest, AMilterThatIsDownIsFound) {
  start_postfix({});
  const CommandResult result = doctor();
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.output.find("FAIL  milter: nobody answers at unix:"), std::string::npos)
      << result.output;
}

TEST_F(HostTest, DrainWaitsForTheEndOfTheMilter) {
  start_postfix({});
  start_milter();
  const CommandResult drained = ctl({"drain"});
  EXPECT_EQ(drained.status, 0) << drained.output;
  EXPECT_EQ(drained.output, "the milter at 127.0.0.1:" + std::to_string(metrics_port_) +
                                " has ended its sessions\n");
  EXPECT_EQ(milter_->wait(), 0);
  const CommandResult again = ctl({"drain"});
  EXPECT_EQ(again.status, 3);
  EXPECT_NE(again.output.find("no milter answers at 127.0.0.1:"), std::string::npos);
}

}  // namespace
}  // namespace ipmit::test
