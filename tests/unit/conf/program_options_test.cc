// SPDX-License-Identifier: Apache-2.0
#include "conf/program_options.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace ipmit::conf {
namespace {

using testing::HasSubstr;

struct Ended {
  std::optional<Settings> settings;
  int code = -1;
  std::string out, err;
};

Ended run(std::vector<std::string> words) {
  words.insert(words.begin(), "ipmit-test");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  auto result = read_command_line(static_cast<int>(words.size()), argv.data(),
                                  {"ipmit-test", "Tests.", "libtest 1"});
  Ended ended;
  ended.out = testing::internal::GetCapturedStdout();
  ended.err = testing::internal::GetCapturedStderr();
  if (const int* code = std::get_if<int>(&result)) ended.code = *code;
  if (auto* settings = std::get_if<Settings>(&result)) ended.settings = std::move(*settings);
  return ended;
}

class ProgramOptionsTest : public testing::Test {
 protected:
  ProgramOptionsTest()
      : path_(std::filesystem::temp_directory_path() /
              ("ipmit-options-" + std::to_string(getpid()) + ".yaml")) {}
  ~ProgramOptionsTest() override { std::filesystem::remove(path_); }

  std::string file(const std::string& text) {
    std::ofstream(path_) << text;
    return path_.string();
  }
  std::filesystem::path path_;
};

TEST_F(ProgramOptionsTest, HelpAndVersionEndWell) {
  const Ended help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("--check-config"));
  const Ended version = run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out, "ipmit-test " IPMIT_VERSION "\nlibtest 1\n");
}

TEST_F(ProgramOptionsTest, ReadsTheNamedFile) {
  const Ended ended = run({"--config", file("store: sqlite:/tmp/x.db\n")});
  ASSERT_TRUE(ended.settings) << ended.err;
  EXPECT_EQ(ended.settings->store, "sqlite:/tmp/x.db");
}

TEST_F(ProgramOptionsTest, CheckConfigReadsAndEnds) {
  const std::string good = file("store: sqlite:/tmp/x.db\n");
  const Ended ended = run({"--check-config", "-c", good});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, good + ": ok\n");
}

TEST_F(ProgramOptionsTest, BadInputIsTwoWithPlaceAndReason) {
  const std::string bad = file("stroe: x\n");
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--config", bad}, {"--config", "/nonexistent/ipmit.yaml"}, {"--wrong"}, {"word"}}) {
    const Ended ended = run(words);
    EXPECT_EQ(ended.code, 2) << words.back();
    EXPECT_NE(ended.err, "") << words.back();
  }
  EXPECT_THAT(run({"--config", bad}).err, HasSubstr(bad + ":1: "));
}

}  // namespace
}  // namespace ipmit::conf
