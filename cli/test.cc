// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>

#include "cli/dry_run.h"
#include "cli/text_table.h"
#include "cli/verbs.h"
#include "common/json_text.h"

namespace ipmit::cli {
namespace {

struct TestOptions {
  std::string client, user, sender;
  std::vector<std::string> recipients;
  bool local = false;
};

std::string to_lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

common::Result<TestMail> to_mail(const TestOptions& options) {
  TestMail mail;
  mail.local_pickup = options.local;
  if (options.client.empty() && !options.local)
    return common::Problem{"--client: give an address, or unknown; or --local for sendmail(1)"};
  if (!options.client.empty() && options.client != "unknown") {
    mail.client = policy::IpAddress::parse(options.client);
    if (!mail.client) return common::Problem{"--client: \"" + options.client + "\" is no address"};
  }
  mail.sasl_user = to_lower(options.user);
  mail.sender = policy::EnvelopeAddress::parse(options.sender);
  for (const std::string& recipient : options.recipients) {
    mail.recipients.push_back(policy::EnvelopeAddress::parse(recipient));
    if (mail.recipients.back().is_null())
      return common::Problem{"--to: \"" + recipient + "\" is no recipient"};
  }
  return mail;
}

// One word for what happens to the message.
std::string_view decision_word(const TestOutcome& outcome) {
  if (const auto* whole = outcome.whole()) return to_string(whole->action);
  return outcome.throttles.empty() ? "Accept" : "Throttle";
}

void append_answer(std::string& out, const TestOutcome::Answer& answer) {
  common::JsonObjectText object(out);
  object.text("stage", to_string(answer.stage));
  object.text("recipient", answer.recipient);
  object.text("action", to_string(answer.action));
  object.text("mitigation", answer.mitigation);
  object.text("matched", answer.matched);
  object.text("reason", answer.reason);
  object.text("reply", answer.reply);
  object.text("transport", answer.transport);
  object.finish();
}

void append_throttle(std::string& out, const TestOutcome::Throttle& throttle) {
  common::JsonObjectText object(out);
  object.text("mitigation", throttle.mitigation);
  object.text("limit", throttle.limit);
  object.text("key", throttle.key);
  object.number("units", throttle.units);
  object.text("reply", throttle.reply);
  object.finish();
}

template <typename T, typename Append>
std::string json_list(const std::vector<T>& values, Append append) {
  std::string out = "[";
  for (const T& value : values) {
    if (out.size() > 1) out += ',';
    append(out, value);
  }
  return out + "]";
}

void print_json(std::ostream& out, const TestOutcome& outcome) {
  std::string text;
  common::JsonObjectText object(text);
  object.text("decision", decision_word(outcome));
  if (const auto* whole = outcome.whole()) {
    object.text("mitigation", whole->mitigation);
    object.text("reply", whole->reply);
  }
  object.text("exempt", outcome.exempt);
  object.raw("answers", json_list(outcome.answers, append_answer));
  object.raw("throttles", json_list(outcome.throttles, append_throttle));
  object.raw("observed", json_list(outcome.observed, common::append_json_string));
  object.raw("notes", json_list(outcome.notes, common::append_json_string));
  object.number("revision", outcome.revision);
  object.finish();
  out << text << '\n';
}

void print_answer(TextTable& table, const TestOutcome::Answer& answer) {
  const std::string where = answer.stage == policy::Stage::kMail   ? "at MAIL"
                            : answer.stage == policy::Stage::kRcpt ? "at RCPT " + answer.recipient
                                                                   : "at end of message";
  table.add({"answer", std::string(to_string(answer.action)) + " " + where});
  table.add({"by", answer.mitigation + ", which names " + answer.matched});
  table.add({"reason", answer.reason});
  if (!answer.reply.empty()) table.add({"reply", answer.reply});
  if (!answer.transport.empty()) table.add({"transport", answer.transport});
}

void print_text(std::ostream& out, const TestOutcome& outcome) {
  TextTable table;
  table.add({"decision", std::string(decision_word(outcome))});
  if (!outcome.exempt.empty()) table.add({"exempt", outcome.exempt + ": no mitigation applies"});
  for (const TestOutcome::Answer& answer : outcome.answers) print_answer(table, answer);
  for (const TestOutcome::Throttle& throttle : outcome.throttles) {
    table.add({"limited by", throttle.mitigation + " to " + throttle.limit});
    table.add({"counts", std::to_string(throttle.units) + " for " + throttle.key});
    table.add({"above it", throttle.reply});
  }
  for (const std::string& name : outcome.observed)
    table.add({"observed by", name + " (counts and logs, does nothing)"});
  for (const std::string& note : outcome.notes) table.add({"note", note});
  table.add({"revision", std::to_string(outcome.revision)});
  table.print(out);
}

ExitCode run_test(Context& context, const TestOptions& options) {
  const auto mail = to_mail(options);
  if (!mail) return context.bad_input("test: " + mail.problem());
  const auto loaded = context.store->load();
  if (loaded.skipped > 0)
    context.warn(std::to_string(loaded.skipped) + " entries of the store cannot be read");
  const auto set = policy::MitigationSet::build(loaded.set);
  const TestOutcome outcome = test_mail(*set, *mail, context.settings.milter, context.now());
  if (context.json())
    print_json(context.out, outcome);
  else
    print_text(context.out, outcome);
  return kOk;
}

}  // namespace

Run declare_test(VerbParser& parser) {
  auto o = std::make_shared<TestOptions>();
  parser.option("--client", o->client, "Client address, or unknown");
  parser.option("--user", o->user, "SASL user (default: not authenticated)");
  parser.option("--from", o->sender, "Envelope sender; <> is the null sender", Need::kRequired);
  parser.option("--to", o->recipients, "Envelope recipients", Need::kRequired, true);
  parser.flag("--local", o->local, "As sent by sendmail(1) on this host");
  parser.examples(
      "Example:\n"
      "  ipmitctl test --client 203.0.113.9 --from a@example.com --to b@example.net c@example.org");
  return [o](Context& context) { return run_test(context, *o); };
}

}  // namespace ipmit::cli
