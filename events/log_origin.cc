// SPDX-License-Identifier: Apache-2.0
#include "events/log_origin.h"

namespace ipmit::events {
namespace {

using std::string_view;

template <std::size_t N>
bool starts_with_any(string_view text, const string_view (&starts)[N]) {
  for (const string_view start : starts) {
    if (text.starts_with(start)) return true;
  }
  return false;
}

// What smtp(8) and lmtp(8) say when a server, its DNS or the way to it is the reason; the error
// daemon repeats it when the queue manager holds back a destination.
bool is_about_destination(string_view text) {
  static constexpr string_view kStarts[] = {
      "host ",
      "connect to ",
      "lost connection with ",
      "conversation with ",
      "Host not ",
      "Host or domain ",
      "unable to look up host ",
      "Domain ",
      "Name service",
      "unknown user",
      "user unknown",
      "timed out while ",
      "SMTPUTF8 is required, but was not offered",
      "message size ",
  };
  return starts_with_any(text, kStarts);
}

// Texts of this host's own making, whichever agent logs them.
bool is_about_this_host(string_view text) {
  static constexpr string_view kStarts[] = {
      "TLS is required, but ",           "Server certificate not ",
      "mail transport unavailable",      "unknown mail transport error",
      "address resolver failure",        "SASL authentication failed",
      "Local configuration error",       "Server configuration error",
      "mail system configuration error",
  };
  if (starts_with_any(text, kStarts)) return true;
  return text.starts_with("mail for ") && text.ends_with(" loops back to myself");
}

}  // namespace

EventOrigin origin_of(const LogRecord& record) {
  if (has_ipmit_mark(record.text)) return EventOrigin::kIpmit;
  // header_checks and milters act in cleanup; the discard transport is a setting.
  if (record.service == "discard" || record.service == "cleanup") return EventOrigin::kLocalPolicy;
  string_view text = record.text;
  static constexpr string_view kSuspended = "delivery temporarily suspended: ";
  const bool suspended = text.starts_with(kSuspended);
  if (suspended) text.remove_prefix(kSuspended.size());
  if (is_about_this_host(text)) return EventOrigin::kLocalPolicy;
  const bool error_transport = record.service == "error" || record.service == "retry";
  if ((suspended || error_transport) && !is_about_destination(text))
    return EventOrigin::kLocalPolicy;
  return EventOrigin::kDestination;
}

}  // namespace ipmit::events
