// SPDX-License-Identifier: Apache-2.0
#include "events/postfix_log.h"

#include <charconv>

namespace ipmit::events {
namespace {

using std::string_view;

enum class Daemon : std::uint8_t {
  kNone,
  kAgent,
  kQueueManager,
  kCleanup,
  kSmtpd,
  kPickup,
  kBounce,
  kPostsuper,
  kUnrelated
};

Daemon daemon_of(string_view service) {
  switch (service.size()) {
    case 0:
      return Daemon::kNone;
    case 4:
      if (service == "smtp" || service == "lmtp" || service == "pipe") return Daemon::kAgent;
      if (service == "qmgr") return Daemon::kQueueManager;
      break;
    case 5:
      if (service == "smtpd" || service == "qmqpd") return Daemon::kSmtpd;
      if (service == "local" || service == "error" || service == "retry") return Daemon::kAgent;
      if (service == "oqmgr" || service == "nqmgr") return Daemon::kQueueManager;
      break;
    case 6:
      if (service == "pickup") return Daemon::kPickup;
      if (service == "bounce") return Daemon::kBounce;
      break;
    case 7:
      if (service == "cleanup") return Daemon::kCleanup;
      if (service == "virtual" || service == "discard") return Daemon::kAgent;
      break;
    case 9:
      if (service == "postsuper") return Daemon::kPostsuper;
      break;
    default:
      break;
  }
  return Daemon::kUnrelated;
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_alnum(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool take(string_view& rest, string_view prefix) {
  if (!rest.starts_with(prefix)) return false;
  rest.remove_prefix(prefix.size());
  return true;
}

// ", " between two fields; whoever aligned the columns is forgiven.
bool take_separator(string_view& rest) {
  if (!take(rest, ", ")) return false;
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  return true;
}

// A short id is hexadecimal and as short as 6 digits, a long one base 52; old formats put an action
// there ("reject: "). Longer than any id Postfix makes (queue file names end at 20), or one of the
// words that its log levels and statistics start with, is no id.
string_view take_queue_id(string_view& message) {
  constexpr std::size_t kShortest = 6;
  constexpr std::size_t kLongest = 20;
  std::size_t pos = 0;
  while (pos < message.size() && pos <= kLongest && is_alnum(message[pos])) ++pos;
  if (pos < kShortest || pos > kLongest || pos + 1 >= message.size()) return {};
  if (message[pos] != ':' || message[pos + 1] != ' ') return {};
  const string_view id = message.substr(0, pos);
  if (id == "warning" || id == "statistics") return {};
  message.remove_prefix(pos + 2);
  return id;
}

// An address as logged: in angle brackets, where a quoted local part may hold '>' and ", ", or bare
// up to `stop`. False if the bracket never closes (a line cut inside the address).
bool take_address(string_view& rest, string_view& address, char stop) {
  if (!take(rest, "<")) {
    const std::size_t end = rest.find(stop);
    address = rest.substr(0, end);
    rest.remove_prefix(address.size());
    return true;
  }
  std::size_t pos = 0;
  if (rest.starts_with('"')) {
    for (pos = 1; pos < rest.size() && rest[pos] != '"'; ++pos) {
      if (rest[pos] == '\\') ++pos;
    }
    if (pos >= rest.size()) pos = 0;  // no closing quote: an ordinary, odd address
  }
  const std::size_t end = rest.find('>', pos);
  if (end == string_view::npos) return false;
  address = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

// The value of "key=value, ": up to the comma. False if the line ends before one.
bool take_value(string_view& rest, string_view& value) {
  const std::size_t end = rest.find(',');
  if (end == string_view::npos || end + 1 >= rest.size() || rest[end + 1] != ' ') return false;
  value = rest.substr(0, end);
  rest.remove_prefix(end);
  return take_separator(rest);
}

template <typename Number>
bool take_number(string_view& rest, Number& value) {
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc{}) return false;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return true;
}

// "mx.example.com[192.0.2.1]:25", "mx.example.com[private/lmtp]", or a name without address.
void split_relay(string_view relay, LogRecord& record) {
  const std::size_t open = relay.find('[');
  if (open == string_view::npos) return;
  const std::size_t close = relay.find(']', open);
  if (close == string_view::npos) return;
  record.relay_host = relay.substr(0, open);
  record.relay_address = relay.substr(open + 1, close - open - 1);
  string_view port = relay.substr(close + 1);
  std::uint16_t number = 0;
  if (take(port, ":") && take_number(port, number) && port.empty()) record.relay_port = number;
}

// "sent (250 ok)", to the end of the line.
void take_status(string_view rest, LogRecord& record) {
  while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
  const std::size_t end = rest.find_first_of(" ,");
  record.status = rest.substr(0, end);
  rest.remove_prefix(record.status.size());
  if (!take(rest, " (")) return;
  record.truncated = !rest.ends_with(')');
  if (!record.truncated) rest.remove_suffix(1);
  record.text = rest;
}

// to=<…>[, orig_to=<…>], relay=…[, conn_use=…], delay=…[, delays=…][, tls=…][, dsn=…], status=…
// (…): the order in which Postfix has written them since 2.3; before that without delays and dsn. A
// key that Postfix does not write there makes it somebody else's line. The fields read so far stay
// set.
bool parse_delivery(string_view rest, LogRecord& record) {
  if (!take_address(rest, record.recipient, ',') || !take_separator(rest)) return false;
  if (take(rest, "orig_to=") &&
      (!take_address(rest, record.orig_to, ',') || !take_separator(rest))) {
    return false;
  }
  if (!take(rest, "relay=") || !take_value(rest, record.relay)) return false;
  split_relay(record.relay, record);
  if (take(rest, "conn_use=") && (!take_number(rest, record.conn_use) || !take_separator(rest))) {
    return false;
  }
  if (!take(rest, "delay=") || !take_value(rest, record.delay) || !is_log_seconds(record.delay)) {
    return false;
  }
  if (take(rest, "delays=") && !take_value(rest, record.delays)) return false;
  string_view tls;
  const bool may_have_tls = record.service == "smtp" || record.service == "lmtp";
  if (may_have_tls && take(rest, "tls=") && !take_value(rest, tls)) return false;
  if (take(rest, "dsn=") && !take_value(rest, record.enhanced_code)) return false;
  if (!take(rest, "status=")) return false;
  take_status(rest, record);
  return !record.status.empty();
}

// from=<…>, size=…, nrcpt=… (queue active) | from=<…>, status=expired, returned to sender
LogKind parse_sender(string_view rest, LogRecord& record) {
  if (!take_address(rest, record.sender, ',') || !take_separator(rest)) return LogKind::kOther;
  if (take(rest, "status=")) {
    const bool expired = rest.starts_with("expired") || rest.starts_with("force-expired");
    record.status = rest.substr(0, rest.find(','));
    return expired ? LogKind::kExpired : LogKind::kOther;
  }
  const bool active = take(rest, "size=") && take_number(rest, record.size_bytes) &&
                      take(rest, ", nrcpt=") && take_number(rest, record.recipient_count) &&
                      rest.starts_with(" (queue active)");
  return active ? LogKind::kQueueActive : LogKind::kOther;
}

// "name[address]", or "name[address]:port".
void split_client(string_view peer, string_view& name, string_view& address) {
  const std::size_t open = peer.rfind('[');
  const std::size_t close = peer.rfind(']');
  if (open == string_view::npos || close == string_view::npos || close < open) return;
  name = peer.substr(0, open);
  address = peer.substr(open + 1, close - open - 1);
}

// client=name[address][, sasl_method=…][, sasl_username=…][, sasl_sender=…][, orig_queueid=…]
// [, orig_client=…]. A SASL name may hold ", ", so it ends at the next key, not at a comma.
void parse_client(string_view rest, LogRecord& record) {
  const std::size_t end = rest.find(", ");
  split_client(rest.substr(0, end), record.client_name, record.client_address);
  if (end == string_view::npos) return;
  rest.remove_prefix(end);
  static constexpr string_view kUser = ", sasl_username=";
  static constexpr string_view kOriginal = ", orig_client=";
  const std::size_t original = rest.rfind(kOriginal);
  if (original != string_view::npos) {  // the client of a content filter is told by XFORWARD
    split_client(rest.substr(original + kOriginal.size()), record.client_name,
                 record.client_address);
  }
  const std::size_t user = rest.find(kUser);
  if (user == string_view::npos) return;
  string_view value = rest.substr(user + kUser.size());
  for (const string_view next : {", sasl_sender=", ", orig_queueid=", ", orig_client="}) {
    value = value.substr(0, value.find(next));
  }
  record.sasl_user = value;
}

void parse_message_id(string_view rest, LogRecord& record) {
  take(rest, "<");
  if (rest.ends_with('>')) rest.remove_suffix(1);
  record.message_id = rest;
}

// sender non-delivery notification: QUEUEID
LogKind parse_notice(string_view rest, LogRecord& record) {
  static constexpr string_view kWord = " notification: ";
  const std::size_t end = rest.find(kWord);
  if (end == string_view::npos) return LogKind::kOther;
  record.notice = rest.substr(0, end);
  record.notice_queue_id = rest.substr(end + kWord.size());
  return LogKind::kBounceNotice;
}

bool parse_refusal(string_view rest, LogRecord& record) {
  const std::size_t colon = rest.find(": ");
  if (colon > 32) return false;  // or none
  const string_view action = rest.substr(0, colon);
  record.milter_refusal = action.starts_with("milter-");
  if (!record.milter_refusal && action != "reject" && action != "discard" && action != "hold") {
    return false;
  }
  record.own_refusal = has_ipmit_mark(rest);
  return true;
}

// The messages that start with to=, from= or uid=: the envelope.
LogKind parse_envelope(string_view rest, Daemon daemon, LogRecord& record) {
  if (take(rest, "to=")) {
    // The fields are read whoever wrote them; a delivery it is only from a daemon that delivers.
    const bool delivers = daemon == Daemon::kNone || daemon == Daemon::kAgent ||
                          daemon == Daemon::kQueueManager || daemon == Daemon::kCleanup ||
                          daemon == Daemon::kBounce;
    return parse_delivery(rest, record) && delivers ? LogKind::kDelivery : LogKind::kOther;
  }
  if (daemon == Daemon::kUnrelated) return LogKind::kOther;
  if (take(rest, "from=")) return parse_sender(rest, record);
  const std::size_t sender = rest.find(" from=");
  if (daemon != Daemon::kPickup || !rest.starts_with("uid=") || sender == string_view::npos) {
    return LogKind::kOther;
  }
  rest.remove_prefix(sender + 6);
  return take_address(rest, record.sender, ' ') ? LogKind::kPickup : LogKind::kOther;
}

LogKind parse_by_word(string_view rest, Daemon daemon, LogRecord& record) {
  const auto from = [daemon](Daemon writer) { return daemon == writer || daemon == Daemon::kNone; };
  switch (rest.empty() ? '\0' : rest.front()) {
    case 't':
    case 'f':
    case 'u':
      return parse_envelope(rest, daemon, record);
    case 'r':
      if (rest != "removed") break;
      return from(Daemon::kQueueManager) || daemon == Daemon::kPostsuper ? LogKind::kRemoved
                                                                         : LogKind::kOther;
    case 'm':
      if (!from(Daemon::kCleanup) || !take(rest, "message-id=")) break;
      parse_message_id(rest, record);
      return LogKind::kMessageId;
    case 'c':
      if (!from(Daemon::kSmtpd) || !take(rest, "client=")) break;
      parse_client(rest, record);
      return LogKind::kClient;
    case 's':
    case 'p':
      if (!from(Daemon::kBounce) || !(take(rest, "sender ") || take(rest, "postmaster "))) break;
      return parse_notice(rest, record);
    default:
      break;
  }
  const bool refuses = from(Daemon::kSmtpd) || daemon == Daemon::kCleanup;
  return refuses && parse_refusal(rest, record) ? LogKind::kRefusal : LogKind::kOther;
}

}  // namespace

std::string_view to_string(LogKind kind) {
  switch (kind) {
    case LogKind::kDelivery:
      return "delivery";
    case LogKind::kQueueActive:
      return "queue_active";
    case LogKind::kExpired:
      return "expired";
    case LogKind::kRemoved:
      return "removed";
    case LogKind::kMessageId:
      return "message_id";
    case LogKind::kClient:
      return "client";
    case LogKind::kBounceNotice:
      return "bounce_notice";
    case LogKind::kOther:
    case LogKind::kPickup:
    case LogKind::kRefusal:
      break;
  }
  return "other";
}

void parse_log_message(string_view message, LogRecord& record) {
  record.message = message;
  const Daemon daemon = daemon_of(record.service);
  record.queue_id = take_queue_id(message);
  if (record.queue_id.empty()) return;
  record.kind = parse_by_word(message, daemon, record);
}

LoggedReply find_reply(string_view text) {
  for (const string_view before : {" said: ", " refused to talk to me: "}) {
    const std::size_t pos = text.find(before);
    if (pos == string_view::npos) continue;
    text.remove_prefix(pos + before.size());
    break;
  }
  LoggedReply reply;
  if (text.size() < 3 || text[0] < '2' || text[0] > '5' || !is_digit(text[1]) ||
      !is_digit(text[2])) {
    return reply;
  }
  if (text.size() > 3 && text[3] != ' ' && text[3] != '-') return reply;
  reply.code =
      static_cast<std::uint16_t>((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
  if (text.size() < 9) return reply;
  text.remove_prefix(4);
  std::size_t end = 0;
  int dots = 0;
  for (; end < text.size() && (is_digit(text[end]) || text[end] == '.'); ++end) {
    if (text[end] == '.') ++dots;
  }
  const bool shaped = dots == 2 && end >= 5 && end <= 9 && text[1] == '.' && text[end - 1] != '.';
  if (shaped && text[0] >= '2' && text[0] <= '5') reply.enhanced_code = text.substr(0, end);
  return reply;
}

bool is_log_seconds(string_view text) {
  std::size_t pos = 0;
  while (pos < text.size() && is_digit(text[pos])) ++pos;
  if (pos == 0 || (pos > 1 && text[0] == '0')) return false;
  if (pos == text.size()) return true;
  if (text[pos] != '.' || pos + 1 == text.size()) return false;
  for (++pos; pos < text.size(); ++pos) {
    if (!is_digit(text[pos])) return false;
  }
  return true;
}

bool has_ipmit_mark(string_view text) {
  const std::size_t mark = text.find("(ipmit ");
  return mark != string_view::npos && text.find(" until ", mark) != string_view::npos;
}

}  // namespace ipmit::events
