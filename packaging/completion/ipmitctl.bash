# SPDX-License-Identifier: Apache-2.0
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
    '') words='add audit completion doctor drain exempt explain export import list migrate parse release settings show status test upkeep validate' ;;
    'add'*) words='--action --burst --dry-run --file --for --force --forever --help --limit --name --per --priority --reason --replace --reply-code --reply-enhanced --reply-text --scope-recipient-domain --scope-sender-domain --scope-user --target --transport --unit --until --wait' ;;
    'list'*) words='--action --help --most --origin --prefix --target' ;;
    'show'*) words='--help' ;;
    'release'*) words='--help --hold-off --reason --wait' ;;
    'exempt add'*) words='--for --help --reason --wait' ;;
    'exempt remove'*) words='--help --reason --wait' ;;
    'exempt list'*) words='--help' ;;
    'explain'*) words='--help' ;;
    'test'*) words='--client --from --help --local --to --user' ;;
    'audit'*) words='--help --most' ;;
    'validate'*) words='--help' ;;
    'doctor'*) words='--help --no-postfix --no-probe --postfix-config --smtp' ;;
    'status'*) words='--help' ;;
    'drain'*) words='--help --no-wait --wait' ;;
    'settings'*) words='--help --man --markdown --sample' ;;
    'import'*) words='--help --reason --replace --wait' ;;
    'export'*) words='--help' ;;
    'migrate'*) words='--help' ;;
    'upkeep'*) words='--help' ;;
    'parse mail'*) words='--at --help --log --rules --trace-keys' ;;
    'parse text'*) words='--help --rules' ;;
    'parse log'*) words='--help --lines --year --zone' ;;
    'parse provider'*) words='--from --help --rules' ;;
    'completion'*) words='--help' ;;
    'exempt'*) words='add remove list' ;;
    'parse'*) words='mail text log provider' ;;
    *) words='' ;;
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
