// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "events/postfix_log.h"
#include "tests/support/shared_corpus.h"

namespace ipmit::events {
namespace {

using nlohmann::json;

// What the line says to us, by the names the corpus uses.
json read(const json& row) {
  LogRecord record;
  const std::string line = row.at("line");
  const std::string service = row.value("service", "");
  if (row.value("message_only", false)) {
    record.service = service;
    parse_log_message(line, record);
  } else {
    record = parse_log_line(line);
  }
  std::string text;
  append_json(text, record);
  return json::parse(text);
}

// Fields of the corpus's own reading; those of the sources' tests have names of their own.
const json& expected(const json& row) {
  return row.at("expected_from") == "source" ? row.at("derived") : row.at("expected");
}

TEST(PostfixLogCorpus, EveryExpectedFieldOfEveryLineIsRight) {
  const auto folder = support::shared_folder("corpus/postfix-logs");
  if (!folder) GTEST_SKIP() << "no ../shared/corpus/postfix-logs";
  std::ifstream file(*folder / "lines.jsonl");
  std::size_t rows = 0, fields = 0, wrong = 0;
  for (std::string text; std::getline(file, text);) {
    const json row = json::parse(text);
    const json got = read(row);
    ++rows;
    for (const auto& [name, want] : expected(row).items()) {
      if (name == "service" && row.value("message_only", false)) continue;
      ++fields;
      if (got.contains(name) && got.at(name) == want) continue;
      ++wrong;
      ADD_FAILURE() << row.at("id") << " " << name << ": want " << want << ", got "
                    << (got.contains(name) ? got.at(name).dump() : "nothing") << "\n"
                    << row.at("line");
    }
  }
  EXPECT_GT(rows, 1000U);
  RecordProperty("fields", static_cast<int>(fields));
  std::printf("%zu lines, %zu fields, %zu wrong\n", rows, fields, wrong);
}

}  // namespace
}  // namespace ipmit::events
