// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>
#include <sstream>

#include "cli/add_options.h"
#include "cli/bounce_rules_file.h"
#include "cli/records.h"
#include "cli/target_match.h"
#include "cli/verbs.h"
#include "common/json_text.h"
#include "conf/settings.h"
#include "conf/settings_keys.h"
#include "conf/yaml_document.h"

namespace ipmit::cli {
namespace {

struct Verdict {
  std::string what;                   // "settings", "3 mitigations, 1 exemption"
  std::vector<std::string> problems;  // empty: good
};

std::string_view name_of(std::string_view file) {
  return file.substr(file.rfind('/') + 1);
}

// Bounce rules have the one key "rules", which no settings and no record have.
bool are_bounce_rules(const std::string& file, const std::vector<conf::YamlNode>& documents) {
  if (name_of(file) == "bounce_rules.yaml") return true;
  return documents.size() == 1 && documents.front().find("rules") != nullptr;
}

// A settings file has a key of ipmit.yaml at its top; anything else is meant to hold mitigations.
bool is_settings(const std::string& file, const std::vector<conf::YamlNode>& documents) {
  if (name_of(file) == "ipmit.yaml") return true;
  if (documents.size() != 1) return false;
  conf::Settings defaults;
  const auto keys = conf::setting_keys(defaults);
  return std::any_of(keys.begin(), keys.end(), [&](const conf::SettingKey& key) {
    const std::string top = key.path().substr(0, key.path().find('.'));
    return documents.front().find(top) != nullptr;
  });
}

std::string count_words(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

Verdict judge_records(ReadRecords read, const std::string& file) {
  Verdict verdict;
  std::size_t mitigations = 0;
  for (const Record& record : read.records) {
    const auto* mitigation = std::get_if<policy::Mitigation>(&record);
    if (mitigation == nullptr) continue;
    ++mitigations;
    if (const auto danger = find_danger(*mitigation, true))
      read.problems.push_back(file + ": " + mitigation->name + ": " + danger->reason);
  }
  const std::size_t exemptions = read.records.size() - mitigations;
  verdict.what = count_words(mitigations, "mitigation");
  if (exemptions > 0) verdict.what += ", " + count_words(exemptions, "exemption");
  verdict.problems = std::move(read.problems);
  if (verdict.problems.empty() && read.records.empty())
    verdict.problems.push_back(file + ": no mitigation, exemption or setting in it");
  return verdict;
}

bool ends_with(const std::string& text, std::string_view ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

Verdict judge_bounce_rules(const std::string& text, const std::string& file) {
  const auto rules = compile_bounce_rules(text, file);
  if (!rules) return {"bounce rules", {rules.problem()}};
  return {count_words(rules->size(), "bounce rule"), {}};
}

Verdict judge(const std::string& file, std::istream& standard_input) {
  const auto text = read_whole(file, standard_input);
  if (!text) return {"", {text.problem()}};
  if (ends_with(file, ".jsonl")) {
    std::istringstream lines(*text);
    return judge_records(read_json_lines(lines, file), file);
  }
  const auto documents = conf::parse_yaml(*text, file);
  if (!documents) return {"", {documents.problem()}};
  if (is_settings(file, *documents)) {
    const auto settings = conf::parse_settings(*text, file);
    if (!settings) return {"settings", {settings.problem()}};
    return {"settings", {}};
  }
  if (are_bounce_rules(file, *documents)) return judge_bounce_rules(*text, file);
  return judge_records(to_records(*documents, file, ""), file);
}

ExitCode run_validate(Context& context, const std::vector<std::string>& files) {
  ExitCode code = kOk;
  for (const std::string& file : files) {
    const Verdict verdict = judge(file, context.in);
    if (!verdict.problems.empty()) code = kBadInput;
    for (const std::string& problem : verdict.problems) context.err << problem << '\n';
    if (context.json()) {
      std::string line;
      common::JsonObjectText object(line);
      object.text("file", file);
      object.boolean("valid", verdict.problems.empty());
      object.text("what", verdict.what);
      std::string list = "[";
      for (const std::string& problem : verdict.problems)
        list += (list.size() > 1 ? "," : "") + json_string(problem);
      object.raw("problems", list + "]");
      object.finish();
      context.out << line << '\n';
    } else if (verdict.problems.empty()) {
      context.out << file << ": good, " << verdict.what << '\n';
    }
  }
  return code;
}

}  // namespace

Run declare_validate(VerbParser& parser) {
  auto files = std::make_shared<std::vector<std::string>>();
  parser.positional(
      "FILE", *files,
      "ipmit.yaml, bounce rules, or mitigations and exemptions as YAML, JSON or .jsonl; - "
      "is stdin",
      Need::kRequired);
  return [files](Context& context) { return run_validate(context, *files); };
}

}  // namespace ipmit::cli
