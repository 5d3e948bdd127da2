// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <algorithm>
#include <memory>
#include <ostream>
#include <sstream>

#include <CLI/CLI.hpp>

#include "common/error.h"

namespace ipmit::cli {
namespace {

class AppParser : public VerbParser {
 public:
  explicit AppParser(CLI::App& app) : app_(app) {}

  void positional(std::string_view name, std::string& value, std::string_view help,
                  Need need) override {
    declare(name, value, help, need)->option_text(std::string(need_text(need)));
  }
  void positional(std::string_view name, std::vector<std::string>& values, std::string_view help,
                  Need need) override {
    declare(name, values, help, need)->option_text("... " + std::string(need_text(need)));
  }
  void option(std::string_view names, std::string& value, std::string_view help,
              Need need) override {
    declare(names, value, help, need)->option_text(std::string(need_text(need)));
  }
  void option(std::string_view names, std::vector<std::string>& values, std::string_view help,
              Need need, bool many) override {
    declare(names, values, help, need)
        ->allow_extra_args(many)
        ->option_text("... " + std::string(need_text(need)));
  }
  void number(std::string_view names, std::int64_t& value, std::int64_t least, std::int64_t most,
              std::string_view help) override {
    declare(names, value, help, Need::kOptional)
        ->check(CLI::Range(least, most))
        ->option_text("N [" + std::to_string(value) + "]");
  }
  void flag(std::string_view names, bool& value, std::string_view help) override {
    app_.add_flag(std::string(names), value, std::string(help));
  }
  void optional_value(std::string_view names, std::string& value, std::string_view otherwise,
                      std::string_view help) override {
    app_.add_flag(std::string(names) + "{" + std::string(otherwise) + "}", value, std::string(help))
        ->option_text("[=VALUE]");
  }
  void examples(std::string_view text) override { app_.footer(std::string(text)); }

 private:
  static std::string_view need_text(Need need) {
    return need == Need::kRequired ? "(required)" : "";
  }
  template <typename T>
  CLI::Option* declare(std::string_view names, T& value, std::string_view help, Need need) {
    // A positional is written in capitals for people; CLI11 takes a name without dashes for one.
    return app_.add_option(std::string(names), value, std::string(help))
        ->required(need == Need::kRequired);
  }

  CLI::App& app_;
};

struct Global {
  std::string config;
  std::string format = "text";
};

// The whole grammar, and which of its leaves stands for which verb.
class Grammar {
 public:
  Grammar(std::span<const Verb> verbs, Global& global)
      : app_("ipmitctl: mitigations of ipmit, for the shell", "ipmitctl") {
    app_.set_version_flag("--version", std::string("ipmitctl ") + IPMIT_VERSION);
    app_.set_help_flag("-h,--help", "Print this and exit");
    app_.option_defaults()->always_capture_default(false);
    app_.add_option("--config", global.config, "Configuration file")
        ->option_text(std::string("FILE [") + conf::kDefaultSettingsPath + "]");
    app_.add_option("-o,--output", global.format, "Form of the output")
        ->check(CLI::IsMember({"text", "json"}))
        ->option_text("text|json [text]");
    app_.require_subcommand(1);
    for (const Verb& verb : verbs) add(verb);
    describe_groups();
  }

  CLI::App& app() { return app_; }

  struct Leaf {
    const Verb* verb;
    CLI::App* app;
    Run run;
  };
  const std::vector<Leaf>& leaves() const { return leaves_; }

  const Leaf* parsed() const {
    const auto leaf = std::find_if(leaves_.begin(), leaves_.end(),
                                   [](const Leaf& each) { return each.app->parsed(); });
    return leaf == leaves_.end() ? nullptr : &*leaf;
  }

  // The verb that was named, or as much of it: {ipmitctl, exempt, add}.
  std::vector<const CLI::App*> named() const {
    std::vector<const CLI::App*> levels = {&app_};
    for (auto next = app_.get_subcommands(); !next.empty(); next = levels.back()->get_subcommands())
      levels.push_back(next.front());
    return levels;
  }

 private:
  void add(const Verb& verb) {
    std::string name(verb.name);
    CLI::App* parent = &app_;
    if (const auto blank = name.find(' '); blank != std::string::npos) {
      parent = group(name.substr(0, blank));
      name.erase(0, blank + 1);
    }
    CLI::App* leaf = parent->add_subcommand(name, std::string(verb.help))->fallthrough();
    AppParser parser(*leaf);
    Run run = verb.declare(parser);
    leaves_.push_back({&verb, leaf, std::move(run)});
  }
  CLI::App* group(const std::string& name) {
    for (CLI::App* known : app_.get_subcommands({}))
      if (known->get_name() == name) return known;
    return app_.add_subcommand(name)->fallthrough()->require_subcommand(1);
  }
  // A group says in --help which verbs it has.
  void describe_groups() {
    for (CLI::App* level : app_.get_subcommands({})) {
      std::string names;
      for (const CLI::App* verb : level->get_subcommands({}))
        names += (names.empty() ? "" : ", ") + verb->get_name();
      if (!names.empty()) level->description(names + ": see ipmitctl " + level->get_name() + " -h");
    }
  }

  CLI::App app_;
  std::vector<Leaf> leaves_;
};

ExitCode prepare(const Verb& verb, Context& context) {
  if (verb.needs == Needs::kNothing || context.store) return kOk;
  auto settings = conf::load_settings(context.config);
  if (!settings) {
    context.err << settings.problem() << '\n';
    return kBadInput;
  }
  context.settings = *std::move(settings);
  if (verb.needs == Needs::kStore) {
    // The first command on a host finds no file yet; a server's schema is changed by `migrate`
    // only.
    const bool embedded = context.settings.store.rfind("sqlite:", 0) == 0;
    context.store = schema::open_store(context.settings.store, embedded);
  }
  return kOk;
}

// "ipmitctl exempt add", without the last `leave_out` words.
std::string spoken(const std::vector<const CLI::App*>& levels, std::size_t leave_out = 0) {
  std::string words;
  for (std::size_t i = 0; i + leave_out < levels.size(); ++i)
    words += (i == 0 ? "" : " ") + levels[i]->get_name();
  return words;
}

ExitCode parse_failed(const Grammar& grammar, const CLI::ParseError& error, Context& context) {
  const auto levels = grammar.named();
  std::string reason = error.what();
  // CLI11 looks at what is missing before it looks at what is unknown.
  const auto unknown = levels.front()->remaining(true);
  if (!levels.back()->get_subcommands({}).empty())
    reason = unknown.empty() ? "no verb given" : "no verb \"" + unknown.front() + "\"";
  context.err << spoken(levels) << ": " << reason << "\nsee " << spoken(levels) << " --help\n";
  return kBadInput;
}

ExitCode run(const std::vector<std::string>& arguments, std::span<const Verb> verbs,
             Context& context) {
  Global global;
  Grammar grammar(verbs, global);
  try {
    grammar.app().parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForVersion& version) {
    context.out << version.what() << '\n';
    return kOk;
  } catch (const CLI::Success&) {  // --help, of whichever verb was named
    const auto levels = grammar.named();
    context.out << levels.back()->help(spoken(levels, 1));
    return kOk;
  } catch (const CLI::ParseError& error) {
    return parse_failed(grammar, error, context);
  }
  const Grammar::Leaf* leaf = grammar.parsed();
  if (leaf == nullptr) return context.bad_input("no verb given\nsee ipmitctl --help");
  if (!global.config.empty()) context.config = global.config;
  context.format = global.format == "json" ? Format::kJson : Format::kText;
  if (const ExitCode code = prepare(*leaf->verb, context); code != kOk) return code;
  return leaf->run(context);
}

}  // namespace

ExitCode run_command_line(const std::vector<std::string>& arguments, std::span<const Verb> verbs,
                          Context& context) {
  try {
    return run(arguments, verbs, context);
  } catch (const common::TransientError& error) {
    return context.environment(std::string(error.what()) + " (try again)");
  } catch (const common::PermanentError& error) {
    return context.environment(std::string(error.what()) + " (see ipmitctl doctor)");
  }
}

std::vector<VerbWords> verb_words(std::span<const Verb> verbs) {
  Global global;
  const Grammar grammar(verbs, global);
  std::vector<VerbWords> all;
  for (const Grammar::Leaf& leaf : grammar.leaves()) {
    VerbWords words{std::string(leaf.verb->name), {}};
    for (const CLI::Option* option : leaf.app->get_options())
      for (const std::string& name : option->get_lnames()) words.options.push_back("--" + name);
    std::sort(words.options.begin(), words.options.end());
    all.push_back(std::move(words));
  }
  return all;
}

}  // namespace ipmit::cli
