// SPDX-License-Identifier: Apache-2.0
#include "conf/settings_text.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "conf/settings_keys.h"

namespace ipmit::conf {
namespace {

std::size_t depth_of(const std::string& section) {
  if (section.empty()) return 0;
  return 1 + static_cast<std::size_t>(std::count(section.begin(), section.end(), '.'));
}

std::string last_name(const std::string& section) {
  const auto dot = section.rfind('.');
  return dot == std::string::npos ? section : section.substr(dot + 1);
}

std::vector<const SettingKey*> keys_of(const std::vector<SettingKey>& keys,
                                       const std::string& section) {
  std::vector<const SettingKey*> out;
  for (const SettingKey& key : keys)
    if (key.section == section) out.push_back(&key);
  return out;
}

// Lines of `text` that begin with `prefix` and end before column 100.
std::string comment(std::string_view text, const std::string& prefix) {
  constexpr std::size_t kColumns = 100;
  std::string out, line = prefix;
  while (!text.empty()) {
    const auto blank = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, blank);
    text.remove_prefix(std::min(blank + 1, text.size()));
    if (line.size() + 1 + word.size() > kColumns) {
      out += line + '\n';
      line = prefix;
    }
    line += ' ';
    line += word;
  }
  return out + line + '\n';
}

std::string type_text(const SettingKey& key) {
  return key.value.type + (key.value.range.empty() ? "" : ", " + key.value.range);
}

std::string takes_effect_text(const SettingKey& key) {
  return key.takes_effect == TakesEffect::kReload ? "reload" : "restart";
}

std::string write_yaml(const Settings& settings, bool with_comments) {
  Settings copy = settings;  // keys are bound to something that may be written
  const auto keys = setting_keys(copy);
  std::string out;
  for (const SettingSection& section : setting_sections()) {
    const std::size_t depth = depth_of(section.path);
    const std::string indent(2 * depth, ' ');
    if (!section.path.empty()) {
      const std::string outer(2 * (depth - 1), ' ');
      if (with_comments) out += "\n" + comment(section.help, outer + "#");
      out += outer + last_name(section.path) + ":\n";
    }
    for (const SettingKey* key : keys_of(keys, section.path)) {
      if (with_comments) out += comment(key->help + " (" + type_text(*key) + ")", indent + "#");
      out += indent + key->name + ": " + key->value.to_yaml() + "\n";
    }
  }
  return out;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

// troff: a backslash and a leading dot or quote are commands, a '-' of a name stays one.
std::string man_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '"') {
      out += "\\(dq";
    } else {
      out += c;
    }
  }
  if (!out.empty() && (out.front() == '.' || out.front() == '\'')) out.insert(0, "\\&");
  return out;
}

constexpr std::string_view kManHead = R"(.\" SPDX-License-Identifier: Apache-2.0
.TH IPMIT.YAML 5 "" "ipmit" "File formats"
.SH NAME
ipmit.yaml \- settings of all programs of ipmit
.SH SYNOPSIS
.I /etc/ipmit/ipmit.yaml
.SH DESCRIPTION
One YAML file for
.BR ipmit\-milter (8),
.BR ipmit\-detector (8),
.BR ipmit\-agent (8),
.BR ipmit\-controller (8)
and
.BR ipmitctl (8).
Without the file every key has its default, which is a working single host.
Another file can be named with
.BR \-\-config .
.PP
A program refuses a file with an unknown key, a key given twice, a value of the wrong type or out of
range: it prints
.IR FILE : LINE ": " KEY ": " REASON
for each mistake and exits 2.
.B ipmitctl validate
does the same without a program.
Durations always carry their unit (20ms, 5s, 1h30m).
.PP
Keys marked
.I reload
are taken over at SIGHUP, those marked
.I restart
at the next start.
.SH KEYS
)";

constexpr std::string_view kManTail = R"(.SH FILES
.I /usr/share/doc/ipmit/ipmit.yaml
holds every key with its default.
.SH SEE ALSO
.BR ipmitctl (8),
.BR ipmit\-milter (8)
)";

constexpr std::string_view kPageHead = R"(# Settings

One file for all programs, `/etc/ipmit/ipmit.yaml` (another one with `--config FILE`). No file at all is a
working single host: every key has the default shown here. `conf/ipmit.yaml` is the file to start from;
`ipmitctl settings` prints what is in force, `ipmitctl validate FILE` checks a file.

An unknown key, a key given twice, a wrong type or a value out of range is refused with file, line, key
and reason; the program exits 2 and nothing is changed. Durations always carry their unit (`20ms`, `5s`,
`1h30m`). "reload" keys are taken over at SIGHUP, "restart" keys at the next start.

This page is made from `conf/settings_keys.cc`: `ipmitctl settings --markdown`.
)";

}  // namespace

std::string to_sample_yaml(const Settings& settings) {
  return "# SPDX-License-Identifier: Apache-2.0\n"
         "# /etc/ipmit/ipmit.yaml: every key of ipmit with its default. Delete what you do not "
         "change.\n"
         "# ipmitctl validate FILE checks it; docs/settings.md says when a change takes "
         "effect.\n\n" +
         write_yaml(settings, true);
}

std::string to_yaml(const Settings& settings) {
  return write_yaml(settings, false);
}

std::string settings_page() {
  Settings defaults;
  const auto keys = setting_keys(defaults);
  std::string out(kPageHead);
  for (const SettingSection& section : setting_sections()) {
    out += "\n## " + (section.path.empty() ? std::string("Top level") : section.path) + "\n\n" +
           section.help + "\n\n| key | default | type and range | at | meaning |\n" +
           "|---|---|---|---|---|\n";
    for (const SettingKey* key : keys_of(keys, section.path))
      out += "| `" + key->name + "` | `" + cell(key->value.to_yaml()) + "` | " +
             cell(type_text(*key)) + " | " + takes_effect_text(*key) + " | " + cell(key->help) +
             " |\n";
  }
  return out;
}

std::string settings_man_page() {
  Settings defaults;
  const auto keys = setting_keys(defaults);
  std::string out(kManHead);
  for (const SettingSection& section : setting_sections()) {
    out += ".SS " + (section.path.empty() ? std::string("Top level") : section.path) + "\n" +
           man_text(section.help) + "\n";
    for (const SettingKey* key : keys_of(keys, section.path))
      out += ".TP\n.B " + man_text(key->name) + ": " + man_text(key->value.to_yaml()) + "\n" +
             man_text(key->help) + "\n(" + man_text(type_text(*key)) + "; " +
             takes_effect_text(*key) + ")\n";
  }
  return out + std::string(kManTail);
}

}  // namespace ipmit::conf
