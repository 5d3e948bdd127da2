// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "cli/target_match.h"
#include "cli/verbs.h"
#include "conf/settings_keys.h"
#include "conf/settings_text.h"

namespace ipmit::cli {
namespace {

struct SettingsOptions {
  bool sample = false, markdown = false, man = false;
};

void print_json(Context& context) {
  conf::Settings copy = context.settings;
  const char* between = "{\n";
  for (const conf::SettingKey& key : conf::setting_keys(copy)) {
    context.out << between << json_string(key.path()) << ": " << json_string(key.value.to_yaml());
    between = ",\n";
  }
  context.out << "\n}\n";
}

ExitCode run_settings(Context& context, const SettingsOptions& options) {
  if (options.sample)
    context.out << conf::to_sample_yaml({});
  else if (options.markdown)
    context.out << conf::settings_page();
  else if (options.man)
    context.out << conf::settings_man_page();
  else if (context.json())
    print_json(context);
  else
    context.out << "# from "
                << (context.settings.file.empty() ? "built-in defaults" : context.settings.file)
                << '\n'
                << conf::to_yaml(context.settings);
  return kOk;
}

}  // namespace

Run declare_settings(VerbParser& parser) {
  auto o = std::make_shared<SettingsOptions>();
  parser.flag("--sample", o->sample, "A file with every key, its default and meaning");
  parser.flag("--markdown", o->markdown, "docs/settings.md");
  parser.flag("--man", o->man, "ipmit.yaml(5)");
  return [o](Context& context) { return run_settings(context, *o); };
}

}  // namespace ipmit::cli
