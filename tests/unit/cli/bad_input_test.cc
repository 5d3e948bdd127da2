// SPDX-License-Identifier: Apache-2.0
// Whatever a person can get wrong is refused with one clear message, exit 2, and nothing is
// changed.
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

using Words = std::vector<std::string>;

struct Row {
  Words words;
  std::string want;  // the first line of the error
};

void expect_refused(Shell& shell, const Row& row) {
  const auto result = shell.run(row.words);
  std::string spoken;
  for (const std::string& word : row.words) spoken += word + " ";
  EXPECT_EQ(result.code, kBadInput) << spoken;
  EXPECT_EQ(result.out, "") << spoken;
  EXPECT_EQ(result.err.substr(0, result.err.find('\n')), row.want) << spoken;
  EXPECT_EQ(shell.store()->revision(), 0U) << spoken;
}

Words add(const Words& more) {
  Words words = {"add", "-r", "why"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(BadInput, OfTheCommandLine) {
  Shell shell;
  const Row rows[] = {
      {{}, "ipmitctl: no verb given"},
      {{"frob"}, "ipmitctl: no verb \"frob\""},
      {{"exempt"}, "ipmitctl exempt: no verb given"},
      {{"exempt", "frob"}, "ipmitctl exempt: no verb \"frob\""},
      {{"list", "more"}, "ipmitctl list: The following argument was not expected: more"},
      {{"list", "--nope"}, "ipmitctl list: The following argument was not expected: --nope"},
      {{"list", "-o", "xml"}, "ipmitctl list: --output: xml not in {text,json}"},
      {{"list", "--most", "0"}, "ipmitctl list: --most: Value 0 not in range 1 to 1000000"},
      {{"list", "--action", "stop"}, "ipmitctl: list: --action: no action \"stop\""},
      {{"list", "--origin", "me"},
       "ipmitctl: list: --origin: wants manual, detector, database or feed, has \"me\""},
      {{"show"}, "ipmitctl show: NAME is required"},
      {{"release", "x"}, "ipmitctl release: --reason is required"},
      {{"release", "x", "-r", ""},
       "ipmitctl: --reason: say why, in one line: it goes to the audit"},
      {{"release", "x", "-r", "a", "--hold-off", "1"},
       "ipmitctl: release: --hold-off: wants a duration such as 1h, has \"1\""},
      {{"exempt", "add", "203.0.113.9", "-r", "x", "--for", "0s"},
       "ipmitctl: exempt add: --for: wants a duration such as 2h, has \"0s\""},
      {{"test", "--from", "a@example.com", "--to", "b@example.net"},
       "ipmitctl: test: --client: give an address, or unknown; or --local for sendmail(1)"},
      {{"test", "--client", "host.example", "--from", "a@example.com", "--to", "b@example.net"},
       "ipmitctl: test: --client: \"host.example\" is no address"},
      {{"test", "--client", "192.0.2.1", "--from", "a@example.com", "--to", ""},
       "ipmitctl: test: --to: \"\" is no recipient"},
      {{"test", "--client", "192.0.2.1", "--to", "b@example.net"},
       "ipmitctl test: --from is required"},
      {{"completion", "zsh"}, "ipmitctl: completion: only bash is known, not \"zsh\""},
      {{"drain", "--wait", "long"},
       "ipmitctl: drain: --wait: wants a duration such as 30s, has \"long\""},
      {{"import", "-r", "x", "/none"}, "ipmitctl: /none: cannot read: No such file or directory"},
  };
  for (const Row& row : rows) expect_refused(shell, row);
}

TEST(BadInput, OfAMitigation) {
  Shell shell;
  const std::string long_reason(501, 'x');
  const Row rows[] = {
      {{"add", "-t", "203.0.113.9", "-a", "defer"}, "ipmitctl add: --reason is required"},
      {{"add", "-t", "203.0.113.9", "-a", "defer", "-r", long_reason},
       "ipmitctl: --reason: has 501 bytes, allowed are 500"},
      {{"add", "-t", "203.0.113.9", "-a", "defer", "-r", "a\nb"},
       "ipmitctl: --reason: has to be one line without control characters"},
      {add({"-t", "203.0.113.9"}),
       "ipmitctl: add: --action: give one of observe, reroute, throttle, defer, quarantine, "
       "reject, "
       "discard"},
      {add({"-t", "203.0.113.9", "-a", "stop"}),
       "ipmitctl: add: --action: wants observe, reroute, throttle, defer, quarantine, reject or "
       "discard, has \"stop\""},
      {add({"-t", "203.0.113.9", "-a", "defer", "--wait=long"}),
       "ipmitctl: add: --wait: wants a duration such as 10s, has \"long\""},
      {add({"-a", "defer"}),
       "ipmitctl: add: --target: give at least one address, range, domain: or user:"},
      {add({"-t", "203.0.113.9", "-a", "throttle"}),
       "ipmitctl: add: --limit: --action throttle needs one, such as 100/1h"},
      {add({"-t", "203.0.113.9", "-a", "throttle", "--limit", "100"}),
       "ipmitctl: add: --limit: wants NUMBER/DURATION such as 100/1h, has \"100\""},
      {add({"-t", "203.0.113.9", "-a", "throttle", "--limit", "100/1"}),
       "ipmitctl: add: --limit: wants NUMBER/DURATION such as 100/1h, has \"100/1\""},
      {add({"-t", "203.0.113.9", "-a", "throttle", "--limit", "0/1h"}),
       "ipmitctl: add: --limit: wants NUMBER/DURATION such as 100/1h, has \"0/1h\""},
      {add({"-t", "203.0.113.9", "-a", "throttle", "--limit", "9/1h"}),
       "ipmitctl: add: --unit: --action throttle needs one: messages or recipients"},
      {add({"-t", "203.0.113.9", "-a", "throttle", "--limit", "9/1h", "--unit", "bytes"}),
       "ipmitctl: add: --unit: wants messages or recipients, has \"bytes\""},
      {add({"-t", "203.0.113.9", "-a", "throttle", "--limit", "9/1h", "--unit", "messages",
            "--burst", "0"}),
       "ipmitctl: add: --burst: wants a whole number from 1, has \"0\""},
      {add({"-t", "203.0.113.9", "-a", "throttle", "--limit", "9/1h", "--unit", "messages", "--per",
            "host"}),
       "ipmitctl: add: --per: wants target or address, has \"host\""},
      {add({"-t", "203.0.113.9", "-a", "defer", "--limit", "9/1h"}),
       "ipmitctl: add: --limit: goes with --action throttle only"},
      {add({"-t", "203.0.113.9", "-a", "defer", "--for", "1h", "--forever"}),
       "ipmitctl: add: --for, --until and --forever exclude one another, give one"},
      {add({"-t", "203.0.113.9", "-a", "defer", "--for", "2"}),
       "ipmitctl: add: --for: wants a duration such as 2h or 1d12h, has \"2\""},
      {add({"-t", "203.0.113.9", "-a", "defer", "--for", "0s"}),
       "ipmitctl: add: --for: has to be longer than 0s"},
      {add({"-t", "203.0.113.9", "-a", "defer", "--until", "tomorrow"}),
       "ipmitctl: add: --until: wants a time such as 2026-11-25T18:00Z, has \"tomorrow\""},
      {add({"-t", "203.0.113.9", "-a", "defer", "--until", "2026-11-25T12:00Z"}),
       "ipmitctl: add: --until: 2026-11-25T12:00Z is over already"},
      {add({"-t", "203.0.113.9", "-a", "defer", "--priority", "1001"}),
       "ipmitctl add: --priority: Value 1001 not in range -1000 to 1000"},
      {add({"-t", "203.0.113.9", "-a", "reroute", "--transport", "fast"}),
       "ipmitctl: add: transport \"fast\" is not in milter.reroute_transports; add it there and to "
       "master.cf"},
      {add({"-t", "203.0.113.9", "-a", "reroute"}),
       "ipmitctl: add: --transport: needed with action Reroute"},
      {add({"-t", "203.0.113.9", "-a", "defer", "--reply-code", "550"}),
       "ipmitctl: add: --reply-code: action Defer needs a 4yz code"},
      {add({"-t", "203.0.113.9", "-a", "defer", "-n", "A b"}),
       "ipmitctl: add: --name: 1 to 200 of a-z, 0-9, '.', '-', '_' and '/', a letter or digit at "
       "both ends"},
      {add({"-f", "x.yaml", "-t", "203.0.113.9"}),
       "ipmitctl: -f and --target or --action exclude one another"},
      {add({"-f", "/none.yaml"}), "ipmitctl: /none.yaml: cannot read: No such file or directory"},
  };
  for (const Row& row : rows) expect_refused(shell, row);
}

// What policy refuses comes with the option that brought it.
TEST(BadInput, OfATargetNamesTheTarget) {
  Shell shell;
  for (const char* target :
       {"203.0.113.9/24", "host", "domain:", "user:", "203.0.113.256", "0.0.0.0/0"}) {
    const auto result = shell.run(add({"-t", target, "-a", "defer"}));
    EXPECT_EQ(result.code, kBadInput) << target;
    const std::string want = std::string("ipmitctl: add: --target: ");
    EXPECT_EQ(result.err.substr(0, want.size()), want);
    EXPECT_GT(result.err.size(), want.size() + 5);
  }
  EXPECT_EQ(shell.store()->revision(), 0U);
}

TEST(BadInput, DangerIsRefusedWithTheWayOut) {
  Shell shell;
  const Row rows[] = {
      {add({"-t", "127.0.0.1", "-a", "defer"}),
       "ipmitctl: add: 127.0.0.1: covers loopback, by which this host's own programs send; use "
       "--dry-run to count what would be hit"},
      {add({"-t", "::1", "-a", "reject"}),
       "ipmitctl: add: ::1: covers loopback, by which this host's own programs send; use --dry-run "
       "to count what would be hit"},
      {add({"-t", "126.0.0.0/7", "-a", "defer", "--force"}),
       "ipmitctl: add: 126.0.0.0/7: covers loopback, by which this host's own programs send; use "
       "--dry-run to count what would be hit"},
      {add({"-t", "8.0.0.0/7", "-a", "defer"}),
       "ipmitctl: add: 8.0.0.0/7: a range wider than /8 hits millions of senders; if that is "
       "meant, "
       "add --force"},
      {add({"-t", "2001:db8::/31", "-a", "defer"}), ""},
      {add({"-t", "2000::/16", "-a", "defer"}),
       "ipmitctl: add: 2000::/16: a range wider than /32 hits millions of senders; if that is "
       "meant, add --force"},
      {add({"-t", "domain:*.example", "-a", "defer"}),
       "ipmitctl: add: domain:*.example: covers a whole top-level domain; if that is meant, add "
       "--force"},
  };
  for (const Row& row : rows)
    if (!row.want.empty()) expect_refused(shell, row);
  for (const Words& words :
       {add({"-t", "8.0.0.0/8", "-a", "defer"}), add({"-t", "8.0.0.0/7", "-a", "defer", "--force"}),
        add({"-t", "2001:db8::/32", "-a", "defer"}), add({"-t", "127.0.0.1", "-a", "observe"}),
        add({"-t", "127.0.0.1", "-a", "reject", "--dry-run"}),
        add({"-t", "domain:*.shop.example", "-a", "defer"})})
    EXPECT_EQ(shell.run(words).code, kOk) << words[4];
}

TEST(BadInput, OfTheConfigurationStopsEveryVerb) {
  Shell shell;
  shell.write("ipmit.yaml",
              "store: sqlite:" + shell.path("ipmit.db") + "\nmilter:\n  backlog: x\n");
  const auto result = shell.run({"list"});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_EQ(result.err,
            shell.path("ipmit.yaml") + ":3: milter.backlog: wants a whole number, has \"x\"\n");
  EXPECT_EQ(shell.run_plain({"--config", "/none.yaml", "list"}).err,
            "/none.yaml: cannot read: No such file or directory\n");
}

TEST(BadInput, AStoreThatCannotBeOpenedIsTheEnvironment) {
  Shell shell;
  shell.write("ipmit.db", "");
  const auto empty = shell.run({"list"});
  EXPECT_EQ(empty.code, kEnvironment);
  EXPECT_NE(empty.err.find("damaged (the file is empty)"), std::string::npos) << empty.err;
  shell.write("ipmit.yaml", "store: sqlite:/none/ipmit.db\n");
  EXPECT_EQ(shell.run({"list"}).code, kEnvironment);
}

}  // namespace
}  // namespace ipmit::cli
