// SPDX-License-Identifier: Apache-2.0
#include "events/dsn_report.h"

#include <algorithm>
#include <utility>

#include "events/bounce_address.h"
#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

struct TypedValue {
  std::string_view type, value;
};

// "smtp; 550 5.1.1 …": the type is a word without blanks in front of a ';'.
TypedValue split_type(std::string_view field) {
  field = trim(field);
  const std::size_t semicolon = field.find(';');
  if (semicolon > 40) return {{}, field};  // or none
  const std::string_view type = trim(field.substr(0, semicolon));
  if (type.find_first_of(" .@<") != std::string_view::npos) return {{}, field};
  return {type, trim(field.substr(semicolon + 1))};
}

std::string host_of(std::string_view field) {
  std::string_view host = split_type(field).value;
  host = host.substr(0, host.find_first_of(" (\t"));
  while (host.ends_with('.')) host.remove_suffix(1);
  return to_lower(host);
}

std::string first_word(std::string_view text) {
  text = trim(text);
  return to_lower(text.substr(0, text.find_first_of(" \t(;")));
}

class Parser {
 public:
  std::optional<DsnReport> parse(std::string_view text) {
    for (std::size_t start = 0; start < text.size();) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      std::string_view line = text.substr(start, end - start);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.starts_with("--") && !report_.recipients.empty()) {
        flush_field();
        report_.rest = text.substr(start);
        break;
      }
      add_line(line);
      start = end + 1;
    }
    flush_field();
    if (!seen_) return std::nullopt;
    return std::move(report_);
  }

 private:
  void add_line(std::string_view line) {
    if (line.empty()) {
      flush_field();
      open_ = false;
      return;
    }
    if (line.front() == ' ' || line.front() == '\t') {
      if (!name_.empty() && value_.size() < kMaxDiagnostic)
        value_.append(1, ' ').append(trim(line));
      return;
    }
    flush_field();
    const std::size_t colon = line.find(':');
    if (colon > 60) return;  // or none
    name_ = to_lower(trim(line.substr(0, colon)));
    value_ = trim(line.substr(colon + 1));
  }

  void flush_field() {
    const std::string name = std::exchange(name_, {});
    const std::string value = std::exchange(value_, {});
    if (name.empty()) return;
    if (!message_field(name, value)) recipient_field(name, value);
  }

  bool message_field(const std::string& name, const std::string& value) {
    if (name == "reporting-mta") {
      seen_ = true;
      report_.reporting_mta = host_of(value);
    } else if (name == "arrival-date") {
      report_.arrival_date = value;
    } else if (name == "x-original-message-id") {
      report_.original_message_id = value;
    } else if (name.starts_with("x-") &&
               (name.ends_with("-queue-id") || name.ends_with("-queueid"))) {
      report_.queue_id = split_type(value).value;
    } else if (name.starts_with("x-") && name.ends_with("-sender")) {
      report_.envelope_sender = address_of(split_type(value).value);
    } else {
      return false;
    }
    return true;
  }

  void recipient_field(const std::string& name, const std::string& value) {
    if (name == "final-recipient") {
      DsnRecipient& to = recipient(!at().final_recipient.empty());
      to.final_recipient = value;
    } else if (name == "original-recipient") {
      recipient(!at().original_recipient.empty()).original_recipient = value;
    } else if (name == "x-actual-recipient") {
      recipient(false).actual_recipient = value;
    } else if (name == "action") {
      recipient(!at().action.empty()).action = first_word(value);
    } else if (name == "status") {
      recipient(false).status = parse_status(value);
    } else if (name == "x-powermta-bouncecategory") {
      recipient(false).category = value;
    } else if (name == "remote-mta") {
      recipient(false).remote_mta = host_of(value);
    } else if (name == "diagnostic-code") {
      const TypedValue typed = split_type(value);
      DsnRecipient& to = recipient(false);
      to.diagnostic = typed.value;
      to.diagnostic_type = to_lower(typed.type);
    }
  }

  // The group that is being read; a new one behind a blank line, and where a field comes again.
  DsnRecipient& recipient(bool again) {
    seen_ = true;
    if ((!open_ || again) && report_.recipients.size() < kMaxRecipients) {
      report_.recipients.emplace_back();
      open_ = true;
    }
    return report_.recipients.back();
  }
  const DsnRecipient& at() const {
    static const DsnRecipient kNone;
    return open_ && !report_.recipients.empty() ? report_.recipients.back() : kNone;
  }

  DsnReport report_;
  std::string name_, value_;
  bool open_ = false;  // a group has begun and no blank line has come since
  bool seen_ = false;
};

bool names_nobody(const DsnRecipient& to) {
  return to.final_recipient.empty() && to.original_recipient.empty() && to.actual_recipient.empty();
}

void fill(std::string& field, std::string& with) {
  if (field.empty()) field = std::move(with);
}

void fill(DsnRecipient& to, DsnRecipient& with) {
  fill(to.action, with.action);
  fill(to.status, with.status);
  fill(to.remote_mta, with.remote_mta);
  if (!to.diagnostic.empty()) return;
  to.diagnostic = std::move(with.diagnostic);
  to.diagnostic_type = std::move(with.diagnostic_type);
}

// Some systems write the fields of the only recipient among those of the message.
void join_only_recipient(std::vector<DsnRecipient>& recipients) {
  if (recipients.size() != 2 || names_nobody(recipients[0]) == names_nobody(recipients[1])) return;
  const std::size_t other = names_nobody(recipients[0]) ? 0 : 1;
  fill(recipients[1 - other], recipients[other]);
  recipients.erase(recipients.begin() + static_cast<std::ptrdiff_t>(other));
}

}  // namespace

std::optional<DsnReport> parse_dsn(std::string_view text) {
  auto report = Parser().parse(text);
  if (!report) return std::nullopt;
  // A group without any recipient field is noise of a text that looked like one.
  std::erase_if(report->recipients, [](const DsnRecipient& to) {
    return names_nobody(to) && to.action.empty() && to.diagnostic.empty();
  });
  join_only_recipient(report->recipients);
  return report;
}

}  // namespace ipmit::events
