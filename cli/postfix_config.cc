// SPDX-License-Identifier: Apache-2.0
#include "cli/postfix_config.h"

#include <algorithm>

#include "cli/run_program.h"

namespace ipmit::cli {
namespace {

using common::Problem;
using common::Result;

constexpr common::Duration kDeadline{10'000};
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kSeparators = ", \t\r\n";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Words between separators; what stands in braces is one word, braces included.
std::vector<std::string> split_words(std::string_view text, std::string_view separators) {
  std::vector<std::string> words;
  std::string word;
  int depth = 0;
  for (const char c : text) {
    if (depth == 0 && separators.find(c) != std::string_view::npos) {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
      continue;
    }
    if (c == '{') ++depth;
    if (c == '}' && depth > 0) --depth;
    word += c;
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::string_view without_braces(std::string_view text) {
  if (text.size() >= 2 && text.front() == '{' && text.back() == '}')
    return trim(text.substr(1, text.size() - 2));
  return text;
}

void for_each_line(std::string_view text, const std::function<void(std::string_view)>& use) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    if (end > 0) use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Result<std::string> postconf(const std::string& directory, std::vector<std::string> arguments) {
  std::vector<std::string> argv = {"postconf"};
  if (!directory.empty()) argv.insert(argv.end(), {"-c", directory});
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  Ran ran = run_program(argv, kDeadline);
  if (ran.exit_code == 0) return std::move(ran.out);
  std::string_view reason = trim(ran.err);
  return Problem{reason.empty() ? "postconf ended with " + std::to_string(ran.exit_code)
                                : std::string(reason.substr(0, reason.find('\n')))};
}

Result<std::optional<std::string>> postmap(const std::string& directory, const std::string& table,
                                           const std::string& key) {
  std::vector<std::string> argv = {"postmap"};
  if (!directory.empty()) argv.insert(argv.end(), {"-c", directory});
  argv.insert(argv.end(), {"-q", key, table});
  const Ran ran = run_program(argv, kDeadline);
  if (ran.exit_code == 0) return std::optional(std::string(trim(ran.out)));
  const std::string_view reason = trim(ran.err);
  if (reason.empty()) return std::optional<std::string>();
  return Problem{std::string(reason.substr(0, reason.find('\n')))};
}

}  // namespace

std::string PostfixConfig::value(std::string_view name) const {
  const auto found = values.find(std::string(name));
  return found == values.end() ? "" : found->second;
}

std::string PostfixConfig::value(const PostfixService& service, std::string_view name) const {
  const auto found = service.overrides.find(std::string(name));
  return found == service.overrides.end() ? value(name) : found->second;
}

std::vector<MilterSpec> parse_milters(std::string_view value) {
  std::vector<MilterSpec> specs;
  for (const std::string& word : split_words(value, kSeparators)) {
    MilterSpec spec;
    spec.text = word;
    const auto parts = split_words(without_braces(word), kSeparators);
    if (parts.empty()) continue;
    spec.endpoint = parts.front();
    // Options are "name=value", with blanks around '=' only inside braces.
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const std::string_view option = without_braces(parts[i]);
      const auto equals = std::min(option.find('='), option.size());
      spec.options[std::string(trim(option.substr(0, equals)))] =
          trim(option.substr(std::min(equals + 1, option.size())));
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

std::vector<std::string> parse_tables(std::string_view value) {
  return split_words(value, kSeparators);
}

std::vector<PostfixService> parse_services(std::string_view master, std::string_view overrides,
                                           bool chroot_by_default) {
  std::vector<PostfixService> services;
  for_each_line(master, [&](std::string_view line) {
    const auto words = split_words(line, kBlanks);
    if (words.size() < 8) return;
    PostfixService service;
    service.name = words[0];
    service.type = words[1];
    service.chroot = words[4] == "y" || (words[4] == "-" && chroot_by_default);
    service.command = words[7];
    services.push_back(std::move(service));
  });
  // "127.0.0.1:10026/inet/mynetworks = 127.0.0.0/8"
  for_each_line(overrides, [&](std::string_view line) {
    const auto equals = line.find(" =");
    if (equals == std::string_view::npos) return;
    for (PostfixService& service : services) {
      const std::string prefix = service.title() + "/";
      if (line.substr(0, prefix.size()) != prefix || equals < prefix.size()) continue;
      service.overrides[std::string(line.substr(prefix.size(), equals - prefix.size()))] =
          trim(line.substr(equals + 2));
    }
  });
  return services;
}

Result<PostfixConfig> read_postfix_config(const std::string& directory) {
  PostfixConfig config;
  const auto values = postconf(directory, {"-x"});
  if (!values) return Problem{values.problem()};
  for_each_line(*values, [&](std::string_view line) {
    const auto equals = line.find(" =");
    if (equals != std::string_view::npos)
      config.values[std::string(line.substr(0, equals))] = trim(line.substr(equals + 2));
  });
  const auto master = postconf(directory, {"-M"});
  if (!master) return Problem{master.problem()};
  const auto overrides = postconf(directory, {"-x", "-P"});
  if (!overrides) return Problem{overrides.problem()};
  config.directory = config.value("config_directory");
  config.services = parse_services(*master, *overrides, config.value("compatibility_level") == "0");
  config.look_up = [directory](const std::string& table, const std::string& key) {
    return postmap(directory, table, key);
  };
  return config;
}

}  // namespace ipmit::cli
