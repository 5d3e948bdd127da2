// SPDX-License-Identifier: Apache-2.0
#include "conf/yaml_document.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace ipmit::conf {
namespace {

constexpr std::size_t kMostNesting = 64;

// Thrown by the handler, caught by parse_yaml(): yaml-cpp offers no other way to stop.
struct Refused {
  int line;
  std::string reason;
};

// Builds the tree from yaml-cpp's events. Its own Node loses duplicate keys and gives no line for a
// key, hence this.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text) {
    line_starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n') line_starts_.push_back(i + 1);
  }

  std::vector<YamlNode> take() { return std::move(documents_); }

  // At a stray ',' yaml-cpp 0.7 reports empty documents for ever and never moves on.
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (last_start_ == mark.pos)
      throw Refused{mark.line + 1, "not YAML: a character that belongs to no value"};
    last_start_ = mark.pos;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    YamlNode node;
    node.line = mark.line + 1;
    place(std::move(node));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{mark.line + 1, "aliases ('*name') are not supported, write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    YamlNode node;
    node.line = mark.line + 1;
    node.quoted = tag == "!";
    if (node.quoted) refuse_open_quote(mark);
    const bool null = !node.quoted && (value == "~" || value == "null" || value.empty());
    node.kind = null ? YamlNode::Kind::kNull : YamlNode::Kind::kScalar;
    node.text = value;
    place(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode node;
    std::optional<YamlMember> member;  // of a map: its key came, its value did not yet
  };

  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) throw Refused{mark.line + 1, "anchors ('&name') are not supported"};
  }
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      throw Refused{mark.line + 1, "tags ('" + tag + "') are not supported"};
  }

  // yaml-cpp 0.7 takes the end of the text for the closing quote if a line break came before it.
  void refuse_open_quote(const YAML::Mark& mark) const {
    const auto line = static_cast<std::size_t>(mark.line);
    if (line >= line_starts_.size()) return;
    const std::size_t start = line_starts_[line] + static_cast<std::size_t>(mark.column);
    if (start >= text_.size() || (text_[start] != '"' && text_[start] != '\'')) return;  // a block
    const char quote = text_[start];
    for (std::size_t i = start + 1; i < text_.size(); ++i) {
      const bool escape = quote == '"' ? text_[i] == '\\' : text_.substr(i, 2) == "''";
      if (escape)
        ++i;
      else if (text_[i] == quote)
        return;
    }
    throw Refused{mark.line + 1, "not YAML: the quote that opens here is never closed"};
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (open_.size() >= kMostNesting) throw Refused{mark.line + 1, "nested deeper than 64 levels"};
    Open level;
    level.node.kind = kind;
    level.node.line = mark.line + 1;
    open_.push_back(std::move(level));
  }
  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    place(std::move(node));
  }

  void place(YamlNode node) {
    if (open_.empty()) {
      documents_.push_back(std::move(node));
      return;
    }
    Open& level = open_.back();
    if (level.node.kind == YamlNode::Kind::kList) {
      level.node.items.push_back(std::move(node));
    } else if (level.member) {
      level.member->value = std::move(node);
      level.node.members.push_back(std::move(*level.member));
      level.member.reset();
    } else {
      level.member = start_member(level.node, std::move(node));
    }
  }

  static YamlMember start_member(const YamlNode& map, YamlNode key) {
    if (key.kind != YamlNode::Kind::kScalar) throw Refused{key.line, "a key must be plain text"};
    for (const YamlMember& member : map.members)
      if (member.key == key.text)
        throw Refused{key.line,
                      key.text + ": given twice, first in line " + std::to_string(member.line)};
    return YamlMember{std::move(key.text), key.line, {}};
  }

  const std::string_view text_;
  std::vector<std::size_t> line_starts_;
  int last_start_ = -1;
  std::vector<YamlNode> documents_;
  std::vector<Open> open_;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  const auto member = std::find_if(members.begin(), members.end(),
                                   [&](const YamlMember& each) { return each.key == key; });
  return member == members.end() ? nullptr : &member->value;
}

std::string_view to_string(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a single value";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      break;
  }
  return "a map";
}

common::Result<std::vector<YamlNode>> parse_yaml(std::string_view text, std::string_view name) {
  const auto at = [&](int line, const std::string& reason) {
    return common::Problem{std::string(name) + ":" + std::to_string(line) + ": " + reason};
  };
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    text.remove_prefix(kByteOrderMark.size());
  if (text.find('\0') != std::string_view::npos) return at(1, "not UTF-8 text: it has NUL bytes");
  std::istringstream input{std::string(text)};
  TreeBuilder builder(text);
  try {
    YAML::Parser parser(input);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    return at(refused.line, refused.reason);
  } catch (const YAML::Exception& error) {
    return at(error.mark.is_null() ? 1 : error.mark.line + 1, "not YAML: " + error.msg);
  }
  return builder.take();
}

}  // namespace ipmit::conf
