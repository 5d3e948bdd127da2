// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>
#include <set>

#include "cli/command_line.h"
#include "cli/verbs.h"

namespace ipmit::cli {
namespace {

constexpr std::string_view kHead = R"sh(# SPDX-License-Identifier: Apache-2.0
# bash completion for ipmitctl(8); made by: ipmitctl completion bash
_ipmitctl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} verb='' skip='' word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$skip" ]; then skip=''; continue; fi
    case $word in
      --config | -o | --output) skip=1 ;;
      -*) ;;
      *) verb+=${verb:+ }$word ;;
    esac
  done
  COMPREPLY=()
  case $previous in
    --config | -f | --file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    -o | --output) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current"); return ;;
    -a | --action)
      mapfile -t COMPREPLY < <(compgen -W \
        'observe reroute throttle defer quarantine reject discard' -- "$current"); return ;;
    --unit) mapfile -t COMPREPLY < <(compgen -W 'messages recipients' -- "$current"); return ;;
    --per) mapfile -t COMPREPLY < <(compgen -W 'target address' -- "$current"); return ;;
    --from)
      if [ "$verb" = 'parse provider' ]; then
        mapfile -t COMPREPLY < <(compgen -W 'ses sendgrid mailgun postmark kumomta ipmit' \
          -- "$current")
      fi
      return ;;
    --origin)
      mapfile -t COMPREPLY < <(compgen -W 'manual detector database feed' -- "$current"); return ;;
  esac
  local words
  case $verb in
)sh";

constexpr std::string_view kTail = R"sh(    *) words='' ;;
  esac
  case "$verb $current" in
    'show '[!-]* | 'show ' | 'release '[!-]* | 'release ')
      words+=" $(ipmitctl list -o json 2>/dev/null | sed -n 's/^{"name":"\([^"]*\)".*/\1/p')" ;;
    'validate '[!-]* | 'validate ' | 'import '[!-]* | 'import ')
      mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words --config --output --help" -- "$current")
}
complete -F _ipmitctl ipmitctl
)sh";

// The first words of all verbs, then for each verb of two words its second.
void print_cases(std::ostream& out) {
  const auto verbs = verb_words(all_verbs());
  std::set<std::string> first;
  std::set<std::string> groups;
  for (const VerbWords& verb : verbs) {
    const auto blank = verb.name.find(' ');
    first.insert(verb.name.substr(0, blank));
    if (blank != std::string::npos) groups.insert(verb.name.substr(0, blank));
  }
  const auto print = [&](const std::string& name, const std::string& words) {
    out << "    '" << name << "'" << (name.empty() ? "" : "*") << ") words='" << words << "' ;;\n";
  };
  std::string words;
  for (const std::string& word : first) words += (words.empty() ? "" : " ") + word;
  print("", words);
  for (const VerbWords& verb : verbs) {
    words.clear();
    for (const std::string& option : verb.options) words += (words.empty() ? "" : " ") + option;
    print(verb.name, words);
  }
  for (const std::string& group : groups) {
    words.clear();
    for (const VerbWords& verb : verbs)
      if (verb.name.rfind(group + " ", 0) == 0)
        words += (words.empty() ? "" : " ") + verb.name.substr(group.size() + 1);
    print(group, words);
  }
}

ExitCode run_completion(Context& context, const std::string& shell) {
  if (shell != "bash")
    return context.bad_input("completion: only bash is known, not \"" + shell + "\"");
  context.out << kHead;
  print_cases(context.out);
  context.out << kTail;
  return kOk;
}

}  // namespace

Run declare_completion(VerbParser& parser) {
  auto shell = std::make_shared<std::string>();
  parser.positional("SHELL", *shell, "bash", Need::kRequired);
  return [shell](Context& context) { return run_completion(context, *shell); };
}

}  // namespace ipmit::cli
