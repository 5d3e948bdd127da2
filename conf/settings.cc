// SPDX-License-Identifier: Apache-2.0
#include "conf/settings.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "conf/settings_keys.h"
#include "conf/yaml_document.h"
#include "policy/text.h"

namespace ipmit::conf {
namespace {

using common::Problem;

constexpr std::uintmax_t kMostFileBytes = 1 << 20;

// Collects every mistake, so that a person repairs a file in one go.
class Reader {
 public:
  Reader(Settings& settings, std::string file)
      : keys_(setting_keys(settings)), file_(std::move(file)) {}

  void read_map(const std::string& section, const YamlNode& map) {
    for (const YamlMember& member : map.members) {
      const std::string path = section.empty() ? member.key : section + "." + member.key;
      if (const SettingKey* key = find_key(path)) {
        if (holds_control(member.value)) {
          complain(member.line, path, "holds a line break or another control character");
        } else if (const auto problem = key->value.read(member.value)) {
          complain(member.line, path, problem->reason);
        }
      } else if (!is_section(path)) {
        complain(member.line, path, "unknown key" + hint(member.key));
      } else if (member.value.kind == YamlNode::Kind::kMap) {
        read_map(path, member.value);
      } else if (member.value.kind != YamlNode::Kind::kNull) {
        complain(member.line, path,
                 "wants keys below it, has " + std::string(to_string(member.value.kind)));
      }
    }
  }

  void complain(int line, const std::string& path, const std::string& reason) {
    if (!problems_.empty()) problems_ += '\n';
    problems_ += file_ + ":" + std::to_string(line) + ": ";
    if (!path.empty()) problems_ += on_one_line(path) + ": ";
    problems_ += reason;
  }
  const std::string& problems() const { return problems_; }

 private:
  // No value has one, and none would be printed as it was read.
  static bool holds_control(const YamlNode& node) {
    return policy::has_control(node.text) ||
           std::any_of(node.items.begin(), node.items.end(), holds_control);
  }
  static std::string on_one_line(std::string path) {
    for (char& c : path)
      if (policy::has_control({&c, 1})) c = '?';
    return path;
  }
  const SettingKey* find_key(const std::string& path) const {
    for (const SettingKey& key : keys_)
      if (key.path() == path) return &key;
    return nullptr;
  }
  static bool is_section(const std::string& path) {
    for (const SettingSection& section : setting_sections())
      if (section.path == path) return true;
    return false;
  }
  // A key that is known elsewhere was probably indented wrongly.
  std::string hint(const std::string& name) const {
    for (const SettingKey& key : keys_)
      if (key.name == name) return ", did you mean " + key.path() + "?";
    return "";
  }

  const std::vector<SettingKey> keys_;
  const std::string file_;
  std::string problems_;
};

// What no single key can say.
void check_together(const Settings& settings, const YamlNode& map, Reader& reader) {
  const MilterSettings& milter = settings.milter;
  const auto line_of = [&](std::string_view name) {
    const YamlNode* section = map.find("milter");
    const YamlNode* value = section != nullptr ? section->find(name) : nullptr;
    return value != nullptr ? value->line : map.line;
  };
  if (milter.first_retry > milter.most_retry)
    reader.complain(line_of("first_retry"), "milter.first_retry",
                    common::to_duration_text(milter.first_retry) + " is longer than most_retry, " +
                        common::to_duration_text(milter.most_retry));
  if (!settings.cache_password_file.empty() && settings.cache.empty())
    reader.complain(map.line, "cache_password_file", "there is no cache it could be for");
}

common::Result<std::string> read_file(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    return Problem{path.string() + ": is a directory"};
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) {
    const int code = errno;
    return Problem{path.string() +
                   ": cannot read: " + (code != 0 ? std::strerror(code) : "empty or damaged")};
  }
  return text.str();
}

}  // namespace

std::vector<policy::IpPrefix> MilterSettings::loopback_networks() {
  return {policy::IpPrefix::of(policy::IpAddress::from_v4({127, 0, 0, 0}), 8),
          policy::IpPrefix::of(
              policy::IpAddress::from_v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), 128)};
}

common::Result<Settings> parse_settings(std::string_view text, const std::string& name) {
  auto documents = parse_yaml(text, name);
  if (!documents) return Problem{documents.problem()};
  Settings settings;
  settings.file = name;
  if (documents->empty()) return settings;
  if (documents->size() > 1)
    return Problem{name + ":" + std::to_string((*documents)[1].line) +
                   ": a second document; the file has one"};
  const YamlNode& root = documents->front();
  if (root.kind == YamlNode::Kind::kNull) return settings;
  if (root.kind != YamlNode::Kind::kMap)
    return Problem{name + ":" + std::to_string(root.line) + ": wants keys, has " +
                   std::string(to_string(root.kind))};
  Reader reader(settings, name);
  reader.read_map("", root);
  check_together(settings, root, reader);
  if (!reader.problems().empty()) return Problem{reader.problems()};
  return settings;
}

common::Result<Settings> load_settings(const std::optional<std::filesystem::path>& given) {
  const std::filesystem::path path = given.value_or(kDefaultSettingsPath);
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!given && status.type() == std::filesystem::file_type::not_found) return Settings{};
  if (std::filesystem::is_regular_file(status) &&
      std::filesystem::file_size(path, error) > kMostFileBytes && !error)
    return Problem{path.string() + ": larger than 1 MiB"};
  auto text = read_file(path);
  if (!text) return Problem{text.problem()};
  return parse_settings(*text, path.string());
}

}  // namespace ipmit::conf
