// SPDX-License-Identifier: Apache-2.0
#include "events/mail_report.h"

#include <algorithm>
#include <utility>

#include "events/auto_reply.h"
#include "events/bounce_address.h"
#include "events/bounce_decision.h"
#include "events/bounce_parts.h"
#include "events/bounce_signs.h"
#include "events/bounce_sns.h"
#include "events/bounce_text.h"
#include "events/bounce_text_report.h"
#include "events/list_refusal.h"
#include "events/text_bounce.h"
#include "events/trace_token.h"

namespace ipmit::events {
namespace {

using policy::BounceClass;
using policy::SmtpStage;

std::string message_id_of(std::string_view value) {
  value = trim(value);
  if (const std::size_t open = value.find('<'); open != std::string_view::npos) {
    value.remove_prefix(open + 1);
    value = value.substr(0, value.find('>'));
  }
  return std::string(value.substr(0, 998));
}

// The report that a gateway has put into a mail of its own, with a disclaimer below it at most.
const MimePart* wrapped_report(const Mail& mail) {
  if (!is_from_mail_system(mail.headers) && !has_null_return_path(mail.headers)) return nullptr;
  const MimePart* wrapped = nullptr;
  for (const MimePart& part : mail.parts) {
    const bool is_mail = part.type == "message/rfc822";
    if (is_mail ? wrapped != nullptr : wrapped == nullptr && !trim(part.text).empty())
      return nullptr;
    if (is_mail) wrapped = &part;
  }
  return wrapped;
}

class Reporter {
 public:
  Reporter(const Mail& mail, ReportParts parts, const BounceRules& rules)
      : mail_(mail), parts_(std::move(parts)), rules_(rules) {}

  MailReport report() {
    MailReport out;
    out.cut = mail_.cut;
    add_complaints();
    if (results_.empty()) add_dsns();
    if (results_.empty()) add_sns();
    if (results_.empty()) add_refusal();
    if (results_.empty()) add_list_refusal();
    if (results_.empty() && parts_.receipt.empty()) add_text_bounces();
    if (results_.empty() && parts_.dsns.empty() && is_auto_reply(mail_.headers)) add_auto_reply();
    if (results_.size() > kMaxRecipients) results_.resize(kMaxRecipients);
    if (!results_.empty()) out.kind = results_.front().kind;
    out.results = std::move(results_);
    return out;
  }

 private:
  // What every result takes from the returned message and the header of the report.
  MailResult base(MailKind kind) const {
    MailResult result;
    result.kind = kind;
    const MailHeaders& returned = parts_.returned;
    result.sender = address_of(returned.find("from"));
    if (result.sender.empty()) result.sender = address_of(returned.find("return-path"));
    if (result.sender.empty()) result.sender = address_of(mail_.headers.find("to"));
    result.message_id = message_id_of(returned.find("message-id"));
    result.trace_token = limited_text(returned.find(to_lower(kTraceHeader)));
    return result;
  }

  void add_complaints() {
    if (parts_.feedback.empty())
      if (auto informal = recognise_informal_report(mail_.headers, parts_.returned, parts_.text))
        parts_.feedback.push_back(std::move(*informal));
    for (FeedbackReport& feedback : parts_.feedback) {
      derive_from(feedback, parts_.returned);
      if (feedback.original_rcpt_to.empty()) feedback.original_rcpt_to.emplace_back();
      for (const std::string& recipient : feedback.original_rcpt_to) {
        MailResult result = base(MailKind::kComplaint);
        result.bounce_class = BounceClass::kComplaint;
        result.recipient = recipient;
        result.feedback_type = feedback.feedback_type;
        if (parts_.returned.empty()) result.sender = feedback.original_mail_from;
        result.reporting_mta = feedback.reporting_mta;
        result.source_address = feedback.source_ip;
        result.date = feedback.arrival_date;
        result.derived = feedback.derived;
        results_.push_back(std::move(result));
      }
    }
  }

  void add_dsns() {
    if (parts_.dsns.empty() || (parts_.dsn_in_text && is_answered(mail_.headers))) return;
    const std::vector<TextRecipient> named = read_text_report(parts_.text);
    for (const DsnReport& dsn : parts_.dsns) {
      for (const DsnRecipient& to : dsn.recipients) add_dsn_recipient(dsn, to, named);
      if (dsn.recipients.empty() && parts_.dsns.size() == 1) add_unspecific(dsn);
    }
  }

  // A report that names no recipient: the message it returns does.
  void add_unspecific(const DsnReport& dsn) {
    MailResult result = base(MailKind::kBounce);
    result.recipient = other_recipient({});
    if (result.recipient.empty()) return;
    describe(result, dsn);
    result.action = "failed";
    decide(result, {}, parts_.text);
    results_.push_back(std::move(result));
  }

  static void describe(MailResult& result, const DsnReport& dsn) {
    result.queue_id = dsn.queue_id;
    result.reporting_mta = dsn.reporting_mta;
    result.date = dsn.arrival_date;
    if (result.message_id.empty()) result.message_id = message_id_of(dsn.original_message_id);
  }

  void add_dsn_recipient(const DsnReport& dsn, const DsnRecipient& to,
                         const std::vector<TextRecipient>& named) {
    MailResult result = base(MailKind::kBounce);
    describe(result, dsn);
    result.recipient = recipient_of(to, named);
    if (result.recipient.empty()) return;
    result.remote_mta = to.remote_mta;
    result.action = action_of(to);
    result.status = to.status;
    if (result.action == "delivered" || result.action == "relayed" || result.action == "expanded") {
      result.kind = MailKind::kAuto;
      result.bounce_class = BounceClass::kAuto;
      result.reply = find_codes(to.diagnostic).reply;
      result.diagnostic = limited_text(to.diagnostic);
    } else {
      std::string about = text_about(result.recipient, to, named);
      if (!to.category.empty()) about += "\nPowerMTA: " + to.category;
      decide(result, to.diagnostic, about);
    }
    results_.push_back(std::move(result));
  }

  static std::string action_of(const DsnRecipient& to) {
    const std::string& action = to.action;
    if (action == "delayed" || action == "expired") return "delayed";
    if (action.starts_with("deliver") || action == "success") return "delivered";
    if (action == "relayed" || action == "expanded") return action;
    return action.empty() && to.status.starts_with("2.") ? "delivered" : "failed";
  }

  static bool has_dot(std::string_view address) {
    return domain_of(address).find('.') != std::string::npos;
  }

  std::string recipient_of(const DsnRecipient& to, const std::vector<TextRecipient>& named) const {
    std::string address = address_alone(to.final_recipient);
    // "ann@local-store" is a name that only the reporting system knows.
    if (std::string original = address_alone(to.original_recipient);
        address.empty() || (!has_dot(address) && has_dot(original)))
      address = std::move(original);
    if (address.empty()) address = address_alone(to.actual_recipient);
    if (address.empty()) address = address_as_written(to.final_recipient);
    if (address.empty()) address = other_recipient(named);
    if (address.empty()) address = address_of(to.final_recipient);
    return address;
  }

  // Where the report itself does not name the recipient in its fields.
  std::string other_recipient(const std::vector<TextRecipient>& named) const {
    std::string address = address_of(mail_.headers.find("x-failed-recipients"));
    if (address.empty() && !named.empty()) address = named.front().address;
    if (address.empty()) address = address_of(parts_.returned.find("to"));
    return address;
  }

  std::string text_about(const std::string& recipient, const DsnRecipient& to,
                         const std::vector<TextRecipient>& named) const {
    const std::string final_address = address_alone(to.actual_recipient);
    for (const TextRecipient& entry : named)
      if (equals_ignoring_case(entry.address, recipient) ||
          (!final_address.empty() && equals_ignoring_case(entry.address, final_address)))
        return entry.text;
    const bool single = parts_.dsns.size() == 1 && parts_.dsns[0].recipients.size() == 1;
    return single ? parts_.text : std::string();
  }

  void decide(MailResult& result, std::string_view diagnostic, std::string_view about) const {
    decide_bounce(result, diagnostic, about, rules_);
  }

  void add_sns() {
    const auto sns = parse_sns_mail(parts_.text);
    if (!sns) return;
    for (const SesRecipient& to : sns->outcome.recipients) {
      MailResult result = base(MailKind::kBounce);
      result.sender = sns->sender;
      result.message_id = sns->message_id;
      result.reporting_mta = sns->outcome.reporting_mta;
      result.recipient = to.address;
      result.action = to.action.empty() ? "failed" : to.action;
      result.status = parse_status(to.status);
      if (sns->kind == SnsReport::Kind::kBounce) {
        decide(result, to.diagnostic, "Amazon SES: " + sns->outcome.type);
      } else if (sns->kind == SnsReport::Kind::kComplaint) {
        result.kind = MailKind::kComplaint;
        result.bounce_class = BounceClass::kComplaint;
        result.feedback_type = sns->outcome.feedback_type;
        result.action.clear();
      } else {
        const ReplyCodes codes = find_codes(to.diagnostic);
        result.kind = MailKind::kAuto;
        result.bounce_class = BounceClass::kAuto;
        result.reply = codes.reply;
        if (result.status.empty()) result.status = codes.status;
        result.diagnostic = limited_text(to.diagnostic);
      }
      results_.push_back(std::move(result));
    }
  }

  void add_text_bounces() {
    if (!is_text_bounce(mail_, parts_)) return;
    std::vector<TextRecipient> named = read_text_report(parts_.text);
    const std::string_view failed = mail_.headers.find("x-failed-recipients");
    if (find_address(failed)) named = failed_recipients(failed, std::move(named));
    drop_sender(named);
    add_bare_names(named);
    if (named.empty() && (parts_.returned_is_part || is_from_mail_system(mail_.headers)))
      if (std::string to = address_of(parts_.returned.find("to")); !to.empty())
        named.push_back({std::move(to), parts_.text, false});
    for (const TextRecipient& entry : named) {
      MailResult result = base(MailKind::kBounce);
      result.recipient = entry.address;
      result.action = "failed";
      // What stands above the only recipient is about him, too.
      const std::string& about = named.size() == 1 ? parts_.text : entry.text;
      std::string_view reply = find_quoted_reply(entry.text);
      if (reply.empty()) reply = find_quoted_reply(about);
      decide(result, reply.empty() ? std::string_view(entry.text) : reply, about);
      results_.push_back(std::move(result));
    }
  }

  // A filter of the recipient that refuses a mail once it was taken says so in a receipt (RFC 5429
  // section 2.2); the receipts of mail programs are no bounces.
  void add_refusal() {
    const std::string disposition = to_lower(parts_.receipt.find("disposition"));
    const std::string text = to_lower(parts_.text);
    if (!disposition.starts_with("automatic-action") ||
        disposition.find("displayed") != std::string::npos ||
        (text.find("rejected") == std::string::npos && text.find("refused") == std::string::npos))
      return;
    MailResult result = base(MailKind::kBounce);
    result.recipient = address_alone(parts_.receipt.find("final-recipient"));
    if (result.recipient.empty())
      result.recipient = address_alone(parts_.receipt.find("original-recipient"));
    if (result.recipient.empty()) return;
    if (result.message_id.empty())
      result.message_id = message_id_of(parts_.receipt.find("original-message-id"));
    result.action = "failed";
    // The frame around the reason is the same whatever the reason.
    const std::string_view reason = find_quoted_reply(parts_.text);
    decide(result, reason, reason.empty() ? std::string_view(parts_.text) : reason);
    results_.push_back(std::move(result));
  }

  void add_list_refusal() {
    MailResult result = base(MailKind::kBounce);
    result.recipient = refusing_list(mail_.headers, parts_.text);
    if (result.recipient.empty()) return;
    result.action = "failed";
    const std::string subject = decode_header(mail_.headers.find("subject"));
    decide(result, {}, subject + '\n' + parts_.text);
    results_.push_back(std::move(result));
  }

  // Names without a domain are those of the message's recipients, else of the reporting system.
  void add_bare_names(std::vector<TextRecipient>& named) const {
    const auto is_sure = [](const TextRecipient& to) { return to.sure; };
    if (std::any_of(named.begin(), named.end(), is_sure) || !is_from_mail_system(mail_.headers))
      return;
    std::vector<TextRecipient> names = read_bare_names(parts_.text);
    const std::string to = address_of(parts_.returned.find("to"));
    const std::string system = domain_of(address_of(mail_.headers.find("from")));
    const bool known = std::any_of(names.begin(), names.end(), [&](const TextRecipient& name) {
      return equals_ignoring_case(name.address, local_part_of(to));
    });
    if (names.empty() || (!to.empty() && !known) || system.empty()) return;
    for (TextRecipient& name : names) name.address += '@' + (known ? domain_of(to) : system);
    named = std::move(names);
  }

  // The recipients of Exim's and Gmail's header field, each with what the text says of it.
  static std::vector<TextRecipient> failed_recipients(std::string_view field,
                                                      std::vector<TextRecipient> named) {
    std::vector<TextRecipient> out;
    for (auto found = find_address(field); found && out.size() < kMaxRecipients;
         found = find_address(field, found->end)) {
      TextRecipient entry{found->address, {}, true};
      for (TextRecipient& known : named)
        if (equals_ignoring_case(known.address, entry.address)) entry.text = std::move(known.text);
      out.push_back(std::move(entry));
    }
    return out;
  }

  // A report often greets whom it is sent to; only where nobody else is named it is about him, and
  // where a sentence names him it is no report ("your mailbox is full").
  void drop_sender(std::vector<TextRecipient>& named) const {
    const std::string to = address_of(mail_.headers.find("to"));
    const auto is_sender = [&](const TextRecipient& entry) {
      return equals_ignoring_case(entry.address, to);
    };
    const bool nobody_else = std::all_of(named.begin(), named.end(), is_sender);
    std::erase_if(named, [&](const TextRecipient& entry) {
      return is_sender(entry) && !(nobody_else && entry.sure);
    });
  }

  void add_auto_reply() {
    MailResult result = base(MailKind::kAuto);
    result.bounce_class = BounceClass::kAuto;
    result.recipient = address_of(mail_.headers.find("from"));
    result.sender = address_of(mail_.headers.find("to"));
    result.message_id = message_id_of(mail_.headers.find("in-reply-to"));
    if (!result.recipient.empty()) results_.push_back(std::move(result));
  }

  const Mail& mail_;
  ReportParts parts_;
  const BounceRules& rules_;
  std::vector<MailResult> results_;
};

}  // namespace

std::string_view to_string(MailKind kind) {
  switch (kind) {
    case MailKind::kNone:
      return "none";
    case MailKind::kBounce:
      return "bounce";
    case MailKind::kComplaint:
      return "complaint";
    case MailKind::kAuto:
      return "auto";
  }
  return "none";
}

MailReport parse_mail(std::string_view bytes, const BounceRules& rules) {
  const Mail mail = read_mail(bytes);
  MailReport report = Reporter(mail, collect_report(mail), rules).report();
  const MimePart* wrapped = report.kind == MailKind::kNone ? wrapped_report(mail) : nullptr;
  if (wrapped == nullptr) return report;
  const Mail inner = read_mail(wrapped->text);
  MailReport unwrapped = Reporter(inner, collect_report(inner), rules).report();
  unwrapped.cut = unwrapped.cut || report.cut;
  return unwrapped.kind == MailKind::kBounce ? unwrapped : report;
}

}  // namespace ipmit::events
