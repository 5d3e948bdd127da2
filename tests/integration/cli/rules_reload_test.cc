// SPDX-License-Identifier: Apache-2.0
// Bounce rules that change under a running ipmitctl, which reads an endless standard input.
#include <csignal>
#include <memory>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/process.h"

namespace ipmit::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string rules_giving(std::string_view bounce_class) {
  return "rules:\n- id: by-wording\n  class: " + std::string(bounce_class) +
         "\n  text: [come back never]\n";
}

// ipmitctl as a service has it: input from a pipe that stays open, output and errors to files.
class RunningParser {
 public:
  RunningParser(const std::string& words, std::string_view rules) {
    std::signal(SIGPIPE, SIG_IGN);  // a program that died is seen by its silence
    replace_rules(rules);
    if (::mkfifo((folder_ / "in").c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
    const std::string command = "exec " IPMIT_BINARY_DIR "/bin/ipmitctl parse " + words +
                                " --rules rules.yaml < in > out 2> err";
    program_ = std::make_unique<ChildProcess>(
        Arguments{"sh", "-c", "cd " + folder_.path().string() + "; " + command}, folder_ / "log");
    input_ = ::open((folder_ / "in").c_str(), O_WRONLY | O_CLOEXEC);
  }
  ~RunningParser() { end_input(); }
  RunningParser(const RunningParser&) = delete;
  RunningParser& operator=(const RunningParser&) = delete;

  void replace_rules(std::string_view text) const {
    write_file(folder_ / "new.yaml", text);
    std::filesystem::rename(folder_ / "new.yaml", folder_ / "rules.yaml");
  }
  void feed(std::string_view text) const {
    ASSERT_EQ(::write(input_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // Feeds it again and again, for the program looks at its rules once a second.
  bool feed_until(std::string_view text, const std::function<bool()>& condition) const {
    return wait_until([&] {
      feed(text);
      return condition();
    });
  }
  std::optional<int> end_input() {
    if (input_ >= 0) ::close(input_);
    input_ = -1;
    return program_->wait();
  }
  std::string out() const { return read_file(folder_ / "out"); }
  std::string err() const { return read_file(folder_ / "err"); }
  bool says(std::string_view part) const { return out().find(part) != std::string::npos; }
  bool complains() const { return err().ends_with('\n'); }

 private:
  TempDir folder_{"reload"};
  std::unique_ptr<ChildProcess> program_;
  int input_ = -1;
};

constexpr std::string_view kMail =
    "From MAILER-DAEMON Mon Nov 23 10:00:00 2026\n"
    "From: MAILER-DAEMON@mx.example.net\nTo: news@example.com\nSubject: Undelivered Mail\n"
    "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; "
    "boundary=\"b\"\n\n--b\nContent-Type: message/delivery-status\n\n"
    "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; ann@example.org\n"
    "Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 come back never\n--b--\n\n";

void expect_reload(RunningParser& parser, std::string_view piece) {
  ASSERT_TRUE(parser.feed_until(piece, [&] { return parser.says("soft"); })) << parser.err();
  EXPECT_FALSE(parser.says("throttle"));
  parser.replace_rules(rules_giving("throttle"));
  EXPECT_TRUE(parser.feed_until(piece, [&] { return parser.says("throttle"); })) << parser.out();
  EXPECT_EQ(parser.err(), "");

  parser.replace_rules(rules_giving("nonsense"));
  EXPECT_TRUE(parser.feed_until(piece, [&] { return parser.complains(); }));
  const std::string complaint =
      "ipmitctl: warning: rules.yaml:3: \"nonsense\" is not a class; the rules before stay in "
      "force\n";
  EXPECT_EQ(parser.err(), complaint);
  const auto before = parser.out().size();
  EXPECT_TRUE(parser.feed_until(
      piece, [&] { return parser.out().find("throttle", before) != std::string::npos; }));
  // Mended, and taken: so the program has looked again, and said nothing of the bad version.
  parser.replace_rules(rules_giving("config"));
  EXPECT_TRUE(parser.feed_until(piece, [&] { return parser.says("config"); }));
  EXPECT_EQ(parser.err(), complaint);
  EXPECT_EQ(parser.end_input(), 0);
}

TEST(RulesReload, OfARunningParseMail) {
  RunningParser parser("mail -", rules_giving("soft"));
  expect_reload(parser, kMail);
  EXPECT_THAT(parser.out(), HasSubstr("],\"cut\":false}\n"));
}

TEST(RulesReload, OfARunningParseText) {
  RunningParser parser("text", rules_giving("soft"));
  expect_reload(parser, "550 come back never\n");
}

TEST(RulesReload, OfARunningParseProvider) {
  RunningParser parser("provider -", rules_giving("soft"));
  expect_reload(parser, R"([{"email":"ann@example.org","timestamp":1764064800,"event":"bounce",)"
                        R"("reason":"550 come back never","status":"5.0.0","sg_event_id":"a"}])"
                        "\n");
}

TEST(RulesReload, ABadFileAtTheStartIsRefused) {
  RunningParser parser("text", rules_giving("nonsense"));
  EXPECT_EQ(parser.end_input(), 2);
  EXPECT_THAT(parser.err(), HasSubstr("rules.yaml:3: \"nonsense\" is not a class"));
  EXPECT_THAT(parser.err(), Not(HasSubstr("stay in force")));
}

}  // namespace
}  // namespace ipmit::test
