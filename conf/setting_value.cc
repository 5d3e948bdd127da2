// SPDX-License-Identifier: Apache-2.0
#include "conf/setting_value.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace ipmit::conf {
namespace {

using common::Problem;

std::string kind_problem(const YamlNode& node, std::string_view wanted) {
  return "wants " + std::string(wanted) + ", has " + std::string(to_string(node.kind));
}

// A scalar that was not put in quotes: numbers and booleans.
std::optional<Problem> want_plain(const YamlNode& node, std::string_view wanted) {
  if (node.kind != YamlNode::Kind::kScalar) return Problem{kind_problem(node, wanted)};
  if (node.quoted)
    return Problem{"wants " + std::string(wanted) + " without quotes, has \"" + node.text + "\""};
  return std::nullopt;
}

std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::string join(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

// Reads a list item by item; the first bad item names its place. Twins are refused: they are
// mistakes of whoever edits a long list.
std::optional<Problem> read_list(
    const YamlNode& node, std::string_view wanted,
    const std::function<std::optional<Problem>(const std::string&)>& add) {
  if (node.kind != YamlNode::Kind::kList) return Problem{kind_problem(node, wanted)};
  std::set<std::string> seen;
  for (const YamlNode& item : node.items) {
    const std::string place = "item " + std::to_string(seen.size() + 1) + ": ";
    if (item.kind != YamlNode::Kind::kScalar)
      return Problem{place + kind_problem(item, "a single value")};
    if (!seen.insert(item.text).second) return Problem{place + item.text + " is there already"};
    if (const auto problem = add(item.text)) return Problem{place + problem->reason};
  }
  return std::nullopt;
}

template <typename T, typename ToText>
std::string list_to_yaml(const std::vector<T>& values, ToText to_text) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const T& value : values) texts.push_back(to_yaml_text(to_text(value)));
  return "[" + join(texts, ", ") + "]";
}

}  // namespace

SettingValue text_value(std::string& value, std::string type, TextCheck check) {
  SettingValue setting;
  setting.type = std::move(type);
  setting.read = [&value, check = std::move(check),
                  name = setting.type](const YamlNode& node) -> std::optional<Problem> {
    if (node.kind != YamlNode::Kind::kScalar) {
      if (node.kind == YamlNode::Kind::kNull)
        return Problem{"wants a text (" + name +
                       "), has nothing; leave the key out for its "
                       "default, or write \"\" for an empty text"};
      return Problem{kind_problem(node, "a text (" + name + ")")};
    }
    if (auto problem = check(node.text)) return problem;
    value = node.text;
    return std::nullopt;
  };
  setting.to_yaml = [&value] { return to_yaml_text(value); };
  return setting;
}

SettingValue boolean_value(bool& value) {
  SettingValue setting;
  setting.type = "true or false";
  setting.read = [&value](const YamlNode& node) -> std::optional<Problem> {
    if (auto problem = want_plain(node, "true or false")) return problem;
    if (node.text != "true" && node.text != "false")
      return Problem{"wants true or false, has \"" + node.text + "\""};
    value = node.text == "true";
    return std::nullopt;
  };
  setting.to_yaml = [&value] { return std::string(value ? "true" : "false"); };
  return setting;
}

SettingValue integer_value(std::uint32_t& value, std::uint32_t least, std::uint32_t most) {
  SettingValue setting;
  setting.type = "whole number";
  setting.range = std::to_string(least) + " to " + std::to_string(most);
  setting.read = [&value, least, most,
                  range = setting.range](const YamlNode& node) -> std::optional<Problem> {
    if (auto problem = want_plain(node, "a whole number")) return problem;
    const auto number = parse_number(node.text, 10);
    if (!number) return Problem{"wants a whole number, has \"" + node.text + "\""};
    if (*number < least || *number > most)
      return Problem{node.text + " is out of range, allowed is " + range};
    value = static_cast<std::uint32_t>(*number);
    return std::nullopt;
  };
  setting.to_yaml = [&value] { return std::to_string(value); };
  return setting;
}

SettingValue file_mode_value(std::uint32_t& value) {
  SettingValue setting;
  setting.type = "file mode in octal";
  setting.range = "\"0000\" to \"0777\"";
  setting.read = [&value](const YamlNode& node) -> std::optional<Problem> {
    const auto mode = node.kind == YamlNode::Kind::kScalar && node.text.size() == 4
                          ? parse_number(node.text, 8)
                          : std::nullopt;
    if (!mode || *mode > 0777)
      return Problem{"wants four octal digits such as \"0660\"" +
                     (node.text.empty() ? std::string() : ", has \"" + node.text + "\"")};
    value = static_cast<std::uint32_t>(*mode);
    return std::nullopt;
  };
  setting.to_yaml = [&value] {
    std::string digits = "\"0000\"";
    for (std::size_t i = 0; i < 4; ++i)
      digits[4 - i] = static_cast<char>('0' + ((value >> (3 * i)) & 7U));
    return digits;
  };
  return setting;
}

SettingValue duration_value(common::Duration& value, common::Duration least,
                            common::Duration most) {
  SettingValue setting;
  setting.type = "duration";
  setting.range = common::to_duration_text(least) + " to " + common::to_duration_text(most);
  setting.read = [&value, least, most,
                  range = setting.range](const YamlNode& node) -> std::optional<Problem> {
    const std::string wanted = "a duration with its unit such as 20ms, 5s or 1h30m";
    if (node.kind != YamlNode::Kind::kScalar) return Problem{kind_problem(node, wanted)};
    const auto duration = common::parse_duration(node.text);
    if (!duration) return Problem{"wants " + wanted + ", has \"" + node.text + "\""};
    if (*duration < least || *duration > most)
      return Problem{node.text + " is out of range, allowed is " + range};
    value = *duration;
    return std::nullopt;
  };
  setting.to_yaml = [&value] { return common::to_duration_text(value); };
  return setting;
}

SettingValue port_list_value(std::vector<std::uint16_t>& value) {
  SettingValue setting;
  setting.type = "list of TCP ports";
  setting.range = "1 to 65535 each";
  setting.read = [&value](const YamlNode& node) -> std::optional<Problem> {
    std::vector<std::uint16_t> ports;
    auto problem = read_list(node, "a list of ports such as [10025]",
                             [&](const std::string& text) -> std::optional<Problem> {
                               const auto port = parse_number(text, 10);
                               if (!port || *port < 1 || *port > 65535)
                                 return Problem{"\"" + text + "\" is no port (1 to 65535)"};
                               ports.push_back(static_cast<std::uint16_t>(*port));
                               return std::nullopt;
                             });
    if (!problem) value = std::move(ports);
    return problem;
  };
  setting.to_yaml = [&value] {
    return list_to_yaml(value, [](std::uint16_t port) { return std::to_string(port); });
  };
  return setting;
}

SettingValue network_list_value(std::vector<policy::IpPrefix>& value) {
  SettingValue setting;
  setting.type = "list of networks";
  setting.read = [&value](const YamlNode& node) -> std::optional<Problem> {
    std::vector<policy::IpPrefix> networks;
    auto problem = read_list(node, "a list of networks such as [10.0.0.0/8]",
                             [&](const std::string& text) -> std::optional<Problem> {
                               auto network = policy::IpPrefix::parse(text);
                               if (!network) return Problem{network.problem()};
                               networks.push_back(*network);
                               return std::nullopt;
                             });
    if (!problem) value = std::move(networks);
    return problem;
  };
  setting.to_yaml = [&value] {
    return list_to_yaml(value, [](const policy::IpPrefix& network) { return network.to_string(); });
  };
  return setting;
}

SettingValue text_list_value(std::vector<std::string>& value, std::string type, TextCheck check) {
  SettingValue setting;
  setting.type = std::move(type);
  setting.read = [&value, check,
                  name = setting.type](const YamlNode& node) -> std::optional<Problem> {
    std::vector<std::string> texts;
    auto problem = read_list(node, "a " + name, [&](const std::string& text) {
      texts.push_back(text);
      return check(text);
    });
    if (!problem) value = std::move(texts);
    return problem;
  };
  setting.to_yaml = [&value] {
    return list_to_yaml(value, [](const std::string& text) { return text; });
  };
  return setting;
}

SettingValue setting_value_detail::named_choice(std::vector<std::string> names,
                                                std::function<void(std::size_t)> set,
                                                std::function<std::size_t()> get) {
  SettingValue setting;
  setting.type = "one of " + join(names, ", ");
  setting.read = [names, set = std::move(set),
                  wanted = setting.type](const YamlNode& node) -> std::optional<Problem> {
    if (node.kind != YamlNode::Kind::kScalar) return Problem{kind_problem(node, wanted)};
    const auto name = std::find(names.begin(), names.end(), node.text);
    if (name == names.end()) return Problem{"wants " + wanted + ", has \"" + node.text + "\""};
    set(static_cast<std::size_t>(name - names.begin()));
    return std::nullopt;
  };
  setting.to_yaml = [names = std::move(names), get = std::move(get)] { return names[get()]; };
  return setting;
}

std::string to_yaml_text(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@+-";
  // A colon inside a word is harmless in YAML ("unix:/path"), at its end it makes a key.
  const bool plain = !text.empty() && text.back() != ':' && text.front() != '-' &&
                     text.front() != '@' && text.front() != ':' &&
                     text.find_first_not_of(std::string(kPlain) + ":") == std::string_view::npos &&
                     text != "true" && text != "false" && text != "null";
  if (plain) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace ipmit::conf
