// SPDX-License-Identifier: Apache-2.0
#include "cli/records.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <istream>
#include <sstream>

#include "common/json_text.h"
#include "schema/mitigation_json.h"

namespace ipmit::cli {
namespace {

using common::Problem;
using conf::YamlMember;
using conf::YamlNode;

// Members that JSON has as numbers. YAML does not tell a number from a text, and "code: 451" is a
// text here, so the name decides.
constexpr std::array<std::string_view, 4> kNumbers = {"limit", "burst", "priority", "revision"};

bool is_json_number(const YamlNode& node, std::string_view key) {
  if (node.quoted || std::find(kNumbers.begin(), kNumbers.end(), key) == kNumbers.end())
    return false;
  const std::string_view digits =
      std::string_view(node.text).substr(node.text.front() == '-' ? 1 : 0);
  return !digits.empty() && digits.size() < 19 && (digits.front() != '0' || digits.size() == 1) &&
         digits.find_first_not_of("0123456789") == std::string_view::npos;
}

void append_json(std::string& out, const YamlNode& node, std::string_view key) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      out += "null";
      return;
    case YamlNode::Kind::kScalar:
      if (is_json_number(node, key))
        out += node.text;
      else
        common::append_json_string(out, node.text);
      return;
    case YamlNode::Kind::kList: {
      out += '[';
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i != 0) out += ',';
        append_json(out, node.items[i], "");
      }
      out += ']';
      return;
    }
    case YamlNode::Kind::kMap:
      break;
  }
  out += '{';
  for (std::size_t i = 0; i < node.members.size(); ++i) {
    if (i != 0) out += ',';
    common::append_json_string(out, node.members[i].key);
    out += ':';
    append_json(out, node.members[i].value, node.members[i].key);
  }
  out += '}';
}

// The line of the member that a Problem names ("rateLimit.limit: reason", "targets[2]: reason"):
// as deep as the path can be followed.
int line_of(const YamlNode& record, std::string_view problem) {
  const YamlNode* node = &record;
  int line = record.line;
  std::string_view path = problem.substr(0, problem.find(": "));
  while (!path.empty()) {
    const auto end = path.find_first_of(".[");
    const std::string_view name = path.substr(0, end);
    const auto member = std::find_if(node->members.begin(), node->members.end(),
                                     [&](const YamlMember& each) { return each.key == name; });
    if (member == node->members.end()) return line;
    line = member->line;
    node = &member->value;
    path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
    if (end != std::string_view::npos && !path.empty() && node->kind == YamlNode::Kind::kList) {
      const std::size_t index = std::strtoul(std::string(path).c_str(), nullptr, 10);
      if (index >= node->items.size()) return line;
      node = &node->items[index];
      line = node->line;
      const auto next = path.find('.');
      path = next == std::string_view::npos ? std::string_view() : path.substr(next + 1);
    }
  }
  // "targets: "192.0.2.1/24": reason" means the item with that text.
  const std::string_view reason = problem.substr(std::min(problem.find(": ") + 2, problem.size()));
  if (node->kind == YamlNode::Kind::kList && reason.substr(0, 1) == "\"")
    for (const YamlNode& item : node->items)
      if (reason.substr(1, item.text.size()) == item.text) line = item.line;
  return line;
}

std::string place(const std::string& file, int line) {
  return file + ":" + std::to_string(line) + ": ";
}

void read_record(YamlNode record, const std::string& file, const std::string& fallback_reason,
                 ReadRecords& out) {
  if (record.kind != YamlNode::Kind::kMap) {
    out.problems.push_back(place(file, record.line) + "wants a mitigation or exemption, has " +
                           std::string(to_string(record.kind)));
    return;
  }
  if (!fallback_reason.empty() && record.find("reason") == nullptr) {
    YamlNode reason;
    reason.kind = YamlNode::Kind::kScalar;
    reason.line = record.line;
    reason.text = fallback_reason;
    reason.quoted = true;
    record.members.push_back({"reason", record.line, std::move(reason)});
  }
  std::string json;
  append_json(json, record, "");
  const auto take = [&](auto parsed) {
    if (parsed)
      out.records.emplace_back(*std::move(parsed));
    else
      out.problems.push_back(place(file, line_of(record, parsed.problem())) + parsed.problem());
  };
  if (record.find("target") != nullptr && record.find("targets") == nullptr)
    take(schema::exemption_from_json(json));
  else
    take(schema::mitigation_from_json(json));
}

}  // namespace

ReadRecords to_records(const std::vector<YamlNode>& documents, const std::string& file,
                       const std::string& fallback_reason) {
  ReadRecords out;
  for (const YamlNode& document : documents) {
    if (document.kind == YamlNode::Kind::kNull) continue;
    if (document.kind == YamlNode::Kind::kList)
      for (const YamlNode& item : document.items) read_record(item, file, fallback_reason, out);
    else
      read_record(document, file, fallback_reason, out);
  }
  return out;
}

ReadRecords read_yaml_records(std::string_view text, const std::string& file,
                              const std::string& fallback_reason) {
  const auto documents = conf::parse_yaml(text, file);
  if (!documents) return {{}, {documents.problem()}};
  return to_records(*documents, file, fallback_reason);
}

ReadRecords read_json_lines(std::istream& in, const std::string& file) {
  ReadRecords out;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto mitigation = schema::mitigation_from_json(line);
    if (mitigation) {
      out.records.emplace_back(*std::move(mitigation));
      continue;
    }
    const bool may_be_exemption = line.find("\"target\"") != std::string::npos &&
                                  line.find("\"targets\"") == std::string::npos;
    if (!may_be_exemption) {
      out.problems.push_back(place(file, number) + mitigation.problem());
      continue;
    }
    auto exemption = schema::exemption_from_json(line);
    if (exemption)
      out.records.emplace_back(*std::move(exemption));
    else
      out.problems.push_back(place(file, number) + exemption.problem());
  }
  return out;
}

common::Result<std::string> read_whole(const std::string& file, std::istream& standard_input) {
  std::ostringstream text;
  if (file == "-") {
    text << standard_input.rdbuf();
    return text.str();
  }
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (in) in.peek();  // a directory opens, but does not read
  if (!in && !in.eof())
    return Problem{file + ": cannot read: " + (errno != 0 ? std::strerror(errno) : "no file")};
  in.clear();
  text << in.rdbuf();
  return text.str();
}

}  // namespace ipmit::cli
