// SPDX-License-Identifier: Apache-2.0
// `ipmitctl parse mail` on tests/corpus/mail (each x.eml has an x.want.json; IPMIT_UPDATE_GOLDEN=1
// writes them anew, for review in the diff) and on the corpora beside the checkout.
#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/shared_corpus.h"
#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::vector<fs::path> mails_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".eml") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string read_file(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// File name to results.
std::map<std::string, json> parse(const std::vector<fs::path>& paths) {
  std::vector<std::string> words{"parse", "mail"};
  for (const fs::path& path : paths) words.push_back(path.string());
  Shell shell;
  const auto run = shell.run(words);
  EXPECT_EQ(run.code, 0) << run.err;
  std::map<std::string, json> out;
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) {
    const json row = json::parse(line);
    out[fs::path(row.at("file").get<std::string>()).filename()] = row.at("results");
  }
  return out;
}

TEST(MailCorpus, EachMailGivesWhatItsWantFileSays) {
  const fs::path folder = fs::path(IPMIT_SOURCE_DIR) / "tests/corpus/mail";
  const auto results = parse(mails_in(folder));
  EXPECT_GT(results.size(), 20U);
  for (const auto& [name, got] : results) {
    fs::path want = folder / name;
    want.replace_extension(".want.json");
    if (std::getenv("IPMIT_UPDATE_GOLDEN") != nullptr) std::ofstream(want) << got.dump(2) << '\n';
    EXPECT_EQ(got.dump(2) + "\n", read_file(want)) << name;
  }
}

TEST(MailCorpus, WellKnownAnswersOfServersHaveTheirClass) {
  std::ifstream file(fs::path(IPMIT_SOURCE_DIR) / "tests/corpus/bounce_texts.txt");
  std::vector<std::string> want;
  std::string texts;
  for (std::string line; std::getline(file, line);) {
    want.push_back(line.substr(0, line.find('|')));
    texts += line.substr(line.find('|') + 1) + '\n';
  }
  EXPECT_GT(want.size(), 70U);
  Shell shell;
  std::istringstream lines(shell.run({"-o", "json", "parse", "text"}, texts).out);
  for (const std::string& name : want) {
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(json::parse(line).at("class"), name) << line;
  }
}

TEST(ParseText, ALongLineOfInputIsCutAndTold) {
  Shell shell;
  const auto result =
      shell.run({"parse", "text"}, "550 5.1.1 user unknown " + std::string(1u << 20, 'x') +
                                       "\n552 5.2.2 mailbox is full");
  std::istringstream lines(result.out);
  for (const char* begin : {"hard_user", "soft"}) {
    std::string line;
    std::getline(lines, line);
    EXPECT_TRUE(line.starts_with(begin)) << line;
  }
  EXPECT_NE(result.err.find("1 lines were longer than 64 KiB and cut"), std::string::npos);
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

struct Score {
  int rows = 0, class_and_recipient = 0, hard = 0, ordinary = 0, ordinary_with_results = 0;

  void add(const json& truth, json got) {
    if (truth.at("kind") == "none") {
      ++ordinary;
      ordinary_with_results += got.empty() ? 0 : 1;
      return;
    }
    std::vector<std::pair<json, json>> pairs;
    std::vector<json> rest;
    for (const json& want : truth.at("expected")) {
      const std::string recipient = lower(want.at("recipient"));
      const auto same = std::find_if(got.begin(), got.end(), [&](const json& row) {
        return !recipient.empty() && lower(row.value("recipient", "")) == recipient;
      });
      if (same == got.end()) {
        rest.push_back(want);
        continue;
      }
      pairs.emplace_back(want, *same);
      got.erase(same);
    }
    for (const json& want : rest) {
      pairs.emplace_back(want, got.empty() ? json::object() : got.front());
      if (!got.empty()) got.erase(got.begin());
    }
    for (const auto& [want, row] : pairs) count(want, row);
  }

  void count(const json& want, const json& got) {
    ++rows;
    const std::string recipient = lower(want.at("recipient"));
    const bool class_right = got.value("class", "") == want.at("class");
    const bool recipient_right =
        recipient.empty() || lower(got.value("recipient", "")) == recipient;
    class_and_recipient += class_right && recipient_right ? 1 : 0;
    hard += !got.empty() && got.value("hardbounce", false) == want.at("hardbounce") ? 1 : 0;
  }
};

TEST(MailCorpus, BouncesOfManyServersAreReadAsTheirCorpusSays) {
  const auto folder = support::shared_folder("corpus/bounces");
  if (!folder) GTEST_SKIP() << "no ../shared/corpus/bounces";
  const auto results = parse(mails_in(*folder / "eml"));
  std::ifstream truth(*folder / "truth.jsonl");
  Score score;
  for (std::string line; std::getline(truth, line);) {
    const json row = json::parse(line);
    score.add(row, results.at(fs::path(row.at("file").get<std::string>()).filename()));
  }
  std::printf("%d rows: class and recipient right %d, hard bounce right %d; ordinary mails %d\n",
              score.rows, score.class_and_recipient, score.hard, score.ordinary);
  EXPECT_GT(score.rows, 200);
  EXPECT_GE(score.class_and_recipient * 100, score.rows * 97);
  EXPECT_GE(score.hard * 100, score.rows * 98);
  EXPECT_EQ(score.ordinary_with_results, 0);
}

// Types of that corpus whose meaning is plain, and the classes that say the same.
const std::map<std::string, std::set<std::string>>& plain_types() {
  static const std::map<std::string, std::set<std::string>> kTypes = {
      {"no_such_recipient", {"hard_user", "inactive"}},
      {"mailbox_full", {"soft"}},
      {"mailbox_over_quota", {"soft"}},
      {"spam_content", {"reputation"}},
      {"ip_blocked_spam", {"reputation"}},
      {"server_timeout", {"soft"}}};
  return kTypes;
}

TEST(MailCorpus, SmtpTextsGiveTheirCodesAndPlainTypes) {
  const auto folder = support::shared_folder("corpus/smtp-texts");
  if (!folder) GTEST_SKIP() << "no ../shared/corpus/smtp-texts";
  std::ifstream file(*folder / "texts.jsonl");
  int rows = 0, codes = 0, typed = 0, types = 0;
  Shell shell;
  for (std::string line; std::getline(file, line);) {
    const json row = json::parse(line);
    const auto string_of = [&](const char* key) {
      return row.at(key).is_null() ? std::string() : row.at(key).get<std::string>();
    };
    const std::string text = row.at("text").is_null() ? string_of("body") : string_of("text");
    const json got = json::parse(shell.run({"-o", "json", "parse", "text", text}).out);
    ++rows;
    codes += got.value("status", "") == string_of("status") &&
                     got.value("replycode", "") == string_of("replycode")
                 ? 1
                 : 0;
    const auto plain = plain_types().find(string_of("type"));
    if (plain == plain_types().end()) continue;
    ++typed;
    types += plain->second.count(got.at("class")) > 0 ? 1 : 0;
    if (plain->second.count(got.at("class")) == 0)
      std::printf("%s: %s\n", got.dump().c_str(), plain->first.c_str());
  }
  std::printf("%d texts: codes right %d; %d of %d plain types\n", rows, codes, types, typed);
  EXPECT_GE(codes * 100, rows * 97);
  EXPECT_GE(types * 100, typed * 97);
}

}  // namespace
}  // namespace ipmit::cli
