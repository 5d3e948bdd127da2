// SPDX-License-Identifier: Apache-2.0
// The manual page and the completion script know every verb and option.
#include <gtest/gtest.h>

#include "cli/run_program.h"
#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

std::string read_source(const std::string& file) {
  std::ifstream in(std::string(IPMIT_SOURCE_DIR) + "/" + file);
  EXPECT_TRUE(in) << file;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string without_backslashes(std::string text) {
  std::erase(text, '\\');
  return text;
}

TEST(Manual, NamesEveryVerbAndOption) {
  const std::string page = without_backslashes(read_source("docs/man/ipmitctl.8"));
  for (const VerbWords& verb : verb_words(all_verbs())) {
    EXPECT_NE(page.find(".SS " + verb.name + "\n"), std::string::npos) << verb.name;
    for (const std::string& option : verb.options)
      EXPECT_NE(page.find(option), std::string::npos) << verb.name << " " << option;
  }
}

// Options that the page explains and nobody has would mislead.
TEST(Manual, NamesNoOptionThatIsNotThere) {
  const std::string page = without_backslashes(read_source("docs/man/ipmitctl.8"));
  std::string known = " --config --output --help --version ";
  for (const VerbWords& verb : verb_words(all_verbs()))
    for (const std::string& option : verb.options) known += option + " ";
  for (std::size_t at = 0; (at = page.find("--", at)) != std::string::npos;) {
    const std::size_t end = page.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
    const std::string option = page.substr(at, end - at);
    EXPECT_NE(known.find(" " + option + " "), std::string::npos) << option;
    at = end;
  }
}

TEST(Completion, IsTheFileThatIsInstalled) {
  EXPECT_EQ(Shell().run({"completion", "bash"}).out,
            read_source("packaging/completion/ipmitctl.bash"))
      << "build/bin/ipmitctl completion bash > packaging/completion/ipmitctl.bash";
}

TEST(Completion, CompletesInBash) {
  const struct {
    const char* words;  // the last one is being typed
    const char* want;
  } rows[] = {
      {"ipmitctl ex", "exempt explain export"},
      {"ipmitctl exempt ''", "add remove list"},
      {"ipmitctl parse provider --from m", "mailgun"},
      {"ipmitctl exempt a", "add"},
      {"ipmitctl exempt add 192.0.2.1 --r", "--reason"},
      {"ipmitctl add -t 192.0.2.1 --action re", "reroute reject"},
      {"ipmitctl add --scope-", "--scope-recipient-domain --scope-sender-domain --scope-user"},
      {"ipmitctl list -o j", "json"},
      {"ipmitctl --config /x lis", "list"},
  };
  for (const auto& row : rows) {
    const std::string script = "source " + std::string(IPMIT_SOURCE_DIR) +
                               "/packaging/completion/ipmitctl.bash; COMP_WORDS=(" + row.words +
                               "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _ipmitctl; "
                               "for w in \"${COMPREPLY[@]}\"; do case $w in --config | --output | "
                               "--help) ;; *) echo -n \"$w \" ;; esac; done";
    const Ran ran = run_program({"bash", "-c", script}, common::Duration(10'000));
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_EQ(ran.err, "") << row.words;
    EXPECT_EQ(ran.out, std::string(row.want) + " ") << row.words;
  }
}

TEST(RunProgram, TellsHowItEnded) {
  EXPECT_EQ(run_program({"/none/program"}, common::Duration(1'000)).exit_code, 127);
  const Ran ran =
      run_program({"sh", "-c", "echo out; echo err >&2; exit 3"}, common::Duration(10'000));
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_EQ(ran.out, "out\n");
  EXPECT_EQ(ran.err, "err\n");
  EXPECT_EQ(run_program({"cat"}, common::Duration(10'000)).exit_code, 0) << "no input";
  EXPECT_EQ(run_program({"sleep", "60"}, common::Duration(50)).exit_code, 124);
}

}  // namespace
}  // namespace ipmit::cli
