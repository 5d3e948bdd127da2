// SPDX-License-Identifier: Apache-2.0
#include "conf/yaml_document.h"

#include <string>

#include <gtest/gtest.h>

namespace ipmit::conf {
namespace {

TEST(YamlDocument, KeepsLinesKindsAndQuotes) {
  const auto documents = parse_yaml("# head\na: 1\nb:\n  c: \"1\"\n  d: [x, 'y']\ne:\n", "f.yaml");
  ASSERT_TRUE(documents) << documents.problem();
  ASSERT_EQ(documents->size(), 1U);
  const YamlNode& root = documents->front();
  ASSERT_EQ(root.kind, YamlNode::Kind::kMap);
  ASSERT_EQ(root.members.size(), 3U);
  EXPECT_EQ(root.members[0].line, 2);
  EXPECT_EQ(root.find("a")->text, "1");
  EXPECT_FALSE(root.find("a")->quoted);
  const YamlNode* b = root.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_TRUE(b->find("c")->quoted);
  EXPECT_EQ(b->find("c")->line, 4);
  ASSERT_EQ(b->find("d")->items.size(), 2U);
  EXPECT_FALSE(b->find("d")->items[0].quoted);
  EXPECT_TRUE(b->find("d")->items[1].quoted);
  EXPECT_EQ(root.find("e")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(root.find("z"), nullptr);
}

TEST(YamlDocument, QuotesThatCloseAreNotTakenForOpenOnes) {
  for (const char* text : {"\xEF\xBB\xBF"
                           "a: \"x\"\n",
                           "a: 'it''s'\n", "a: \"\\\"\"\n", "a: \"x\n  y\"\n",
                           "\xc3\xa9: \"\xc3\xa9\"\n", "a: |\n  \"open\n", "{\"a\": \"b\"}"}) {
    const auto documents = parse_yaml(text, "f.yaml");
    EXPECT_TRUE(documents) << text << documents.problem();
  }
}

TEST(YamlDocument, ReadsJsonAndSeveralDocuments) {
  const auto json = parse_yaml(R"({"a": [1, {"b": "\u00e9"}]})", "f.json");
  ASSERT_TRUE(json) << json.problem();
  EXPECT_EQ(json->front().find("a")->items[1].find("b")->text, "\xc3\xa9");
  const auto two = parse_yaml("a: 1\n---\nb: 2\n", "f.yaml");
  ASSERT_TRUE(two);
  ASSERT_EQ(two->size(), 2U);
  EXPECT_EQ((*two)[1].find("b")->line, 3);
  const auto none = parse_yaml("", "f.yaml");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST(YamlDocument, RefusesWithPlaceAndReason) {
  std::string deep;
  for (int i = 0; i < 65; ++i) deep += "[";
  const struct {
    const char* name;
    std::string text;
    const char* want;
  } rows[] = {
      {"a key twice", "a: 1\nb: 2\na: 3\n", "f.yaml:3: a: given twice, first in line 1"},
      {"a list as key", "[x]: 1\n", "f.yaml:1: a key must be plain text"},
      {"an alias", "a: &x 1\nb: *x\n", "f.yaml:1: anchors ('&name') are not supported"},
      {"a tag", "a: !!int 1\n", "f.yaml:1: tags ('tag:yaml.org,2002:int') are not supported"},
      {"65 levels", deep, "f.yaml:1: nested deeper than 64 levels"},
      {"a tab as indentation", "a:\n\tb: 1\n", "f.yaml:2: not YAML: illegal map value"},
      {"an open quote", "a: \"x\n",
       "f.yaml:1: not YAML: the quote that opens here is never closed"},
      {"an open single quote", "b: 1\na: 'it''s\nc: 2\n",
       "f.yaml:2: not YAML: the quote that opens here is never closed"},
      {"an open quote in the last line", "a: \"x", "f.yaml:1: not YAML: illegal EOF in scalar"},
      {"UTF-16", std::string("a\0:\0", 4), "f.yaml:1: not UTF-8 text: it has NUL bytes"},
      {"a stray bracket", "a: 1\n---\n]\n", "f.yaml:3: not YAML: illegal flow end"},
      {"a stray comma", ",", "f.yaml:1: not YAML: a character that belongs to no value"},
      {"an open list", "a: [1, 2\n", "f.yaml:2: not YAML: end of sequence flow not found"},
  };
  for (const auto& row : rows) {
    const auto documents = parse_yaml(row.text, "f.yaml");
    ASSERT_FALSE(documents) << row.name;
    EXPECT_EQ(documents.problem(), row.want) << row.name;
  }
}

TEST(YamlDocument, AnyBytesAreSafe) {
  std::string bytes;
  unsigned state = 1;
  for (int round = 0; round < 3000; ++round) {
    bytes.clear();
    for (int i = 0; i < 40; ++i) {
      state = state * 1103515245U + 12345U;
      // Mostly characters that mean something in YAML.
      constexpr std::string_view kSpice = "{}[]:,-?&*!|>'\"%@` \n\t#ab1\\";
      bytes += (state >> 16U) % 8 == 0 ? static_cast<char>(state >> 24U)
                                       : kSpice[(state >> 16U) % kSpice.size()];
    }
    const auto documents = parse_yaml(bytes, "f");
    if (!documents) {
      EXPECT_EQ(documents.problem().rfind("f:", 0), 0U);
    }
  }
}

}  // namespace
}  // namespace ipmit::conf
