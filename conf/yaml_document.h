// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"

namespace ipmit::conf {

struct YamlMember;

// One node of a YAML 1.2 document (JSON included), each with the line it stands on, so that whoever
// refuses a value can say where it is. Values are left as text: what "10" means is the reader's
// business.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  int line = 0;                 // from 1
  std::string text;             // kScalar
  bool quoted = false;          // kScalar: written in quotes or as a block, so certainly a string
  std::vector<YamlNode> items;  // kList
  std::vector<YamlMember> members;  // kMap, in the order of the text

  const YamlNode* find(std::string_view key) const;  // null: not a map, or no such key
};
struct YamlMember {
  std::string key;
  int line = 0;
  YamlNode value;
};

std::string_view to_string(YamlNode::Kind kind);  // "nothing", "a single value", "a list", …

// Every document of `text` (separated by "---"; an empty text has none). Problem:
// "NAME:LINE: reason"; refused beside what is not YAML: a key twice in one map, keys that are not
// plain text, anchors and aliases, tags, nesting deeper than 64. Safe on any bytes.
common::Result<std::vector<YamlNode>> parse_yaml(std::string_view text, std::string_view name);

}  // namespace ipmit::conf
