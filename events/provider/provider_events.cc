// SPDX-License-Identifier: Apache-2.0
#include "events/provider/provider_events.h"

#include <algorithm>
#include <array>
#include <utility>

#include "events/provider/provider_outcome.h"

namespace ipmit::events {
namespace {

constexpr std::array kProviders = {Provider::kSes,      Provider::kSendgrid, Provider::kMailgun,
                                   Provider::kPostmark, Provider::kKumomta,  Provider::kIpmit};

bool is_ses(const JsonView& record) {
  if (record["Type"].is_text() && record["TopicArn"].is_text()) return true;
  if (record["mail"].is_object())
    return record["notificationType"].is_text() || record["eventType"].is_text();
  if (record["source"].text() == "aws.ses") return record["detail"].is_object();
  return record["Records"].is_list();
}

bool is_mailgun(const JsonView& record) {
  if (record["event-data"].is_object()) return true;
  if (record["items"].is_list()) return record["paging"].is_object();
  return record["event"].is_text() && (record.has("log-level") || record.has("delivery-status"));
}

bool is_kumomta(const JsonView& record) {
  return record["type"].is_text() && record["id"].is_text() && record.has("queue") &&
         record.has("site");
}

// Each form has members that no other has.
std::optional<Provider> tell_provider(const JsonView& record) {
  if (record["event_id"].is_text() && record.has("v")) return Provider::kIpmit;
  if (is_ses(record)) return Provider::kSes;
  if (is_mailgun(record)) return Provider::kMailgun;
  if (record.has("sg_event_id") || record.has("sg_message_id")) return Provider::kSendgrid;
  if (record["RecordType"].is_text()) return Provider::kPostmark;
  if (is_kumomta(record)) return Provider::kKumomta;
  return std::nullopt;
}

void read_outcomes(Provider provider, const JsonView& record, ProviderOutcomes& out) {
  switch (provider) {
    case Provider::kSes:
      return read_ses(record, out);
    case Provider::kSendgrid:
      return read_sendgrid(record, out);
    case Provider::kMailgun:
      return read_mailgun(record, out);
    case Provider::kPostmark:
      return read_postmark(record, out);
    case Provider::kKumomta:
      return read_kumomta(record, out);
    case Provider::kIpmit:
      break;  // has no outcomes in foreign words: see read_ipmit()
  }
}

}  // namespace

std::string_view to_string(Provider provider) {
  switch (provider) {
    case Provider::kSes:
      return "ses";
    case Provider::kSendgrid:
      return "sendgrid";
    case Provider::kMailgun:
      return "mailgun";
    case Provider::kPostmark:
      return "postmark";
    case Provider::kKumomta:
      return "kumomta";
    case Provider::kIpmit:
      break;
  }
  return "ipmit";
}

std::optional<Provider> parse_provider(std::string_view name) {
  for (const Provider provider : kProviders)
    if (name == to_string(provider)) return provider;
  return std::nullopt;
}

ProviderReader::ProviderReader(std::optional<Provider> provider, const BounceRules& rules,
                               Sinks sinks)
    : provider_(provider),
      rules_(&rules),
      sinks_(std::move(sinks)),
      pieces_([this](std::string_view text, std::uint64_t line) { read_piece(text, line); },
              [this](std::uint64_t line, std::string_view reason) {
                ++counters_.records;
                fault(line, reason);
              }) {}

void ProviderReader::fault(std::uint64_t line, std::string_view reason) {
  ++counters_.bad;
  sinks_.problem("record " + std::to_string(counters_.records) + ", line " + std::to_string(line) +
                 ": " + std::string(reason));
}

void ProviderReader::read_piece(std::string_view text, std::uint64_t line) {
  ++counters_.records;
  const auto parsed = parse_json(text);
  if (!parsed) return fault(line, parsed.problem());
  std::optional<std::string> problem;
  const JsonView record(*parsed, problem);
  const auto provider = provider_ ? provider_ : tell_provider(record);
  if (!provider) return fault(line, "is of none of the known providers; say which it is");
  std::vector<ProviderRecord> records;
  ProviderOutcomes out;
  if (*provider == Provider::kIpmit) {
    records.push_back(to_record(read_ipmit(record), *rules_));
  } else {
    read_outcomes(*provider, record, out);
    for (const ProviderOutcome& outcome : out.outcomes)
      records.push_back(to_record(*provider, outcome, *rules_));
  }
  if (problem) return fault(line, *problem);
  if (out.confirm_url) {
    ++counters_.confirmations;
    if (sinks_.confirmation) sinks_.confirmation(*out.confirm_url);
  } else if (records.empty()) {
    ++counters_.ignored;
  }
  for (const ProviderRecord& each : records) {
    ++counters_.events;
    sinks_.event(each);
  }
}

}  // namespace ipmit::events
