// SPDX-License-Identifier: Apache-2.0
// A mail log as it may be followed: lines, container lines, journal exports. Beyond not crashing:
// every view lies inside its line, what is printed is JSON, and no other program's line is a
// delivery.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "events/log_clock.h"
#include "events/log_framing.h"
#include "events/postfix_log.h"

using namespace ipmit::events;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

void check(const LogRecord& record) {
  std::string json;
  append_json(json, record);
  require(nlohmann::json::accept(json));
  if (record.kind == LogKind::kDelivery) {
    require(!record.queue_id.empty() && !record.status.empty());
    require(record.service != "smtpd" && record.service != "opendkim");
  }
  const LoggedReply reply = find_reply(record.text);
  require(reply.code == 0 || (reply.code >= 200 && reply.code < 600));
}

void check_views(std::string_view line) {
  const LogRecord record = parse_log_line(line);
  for (const std::string_view part :
       {record.timestamp,     record.host,           record.program,        record.message,
        record.queue_id,      record.recipient,      record.orig_to,        record.relay,
        record.relay_host,    record.relay_address,  record.delay,          record.delays,
        record.enhanced_code, record.status,         record.text,           record.sender,
        record.message_id,    record.client_name,    record.client_address, record.sasl_user,
        record.notice,        record.notice_queue_id}) {
    require(part.empty() ||
            (part.data() >= line.data() && part.data() + part.size() <= line.data() + line.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  LogClock clock(ipmit::common::TimePoint{}, std::chrono::minutes(60));
  LogFraming framing([&](const LogRecord& record) {
    check(record);
    clock.read(record.timestamp);
  });
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    check_views(line);
    framing.add({line, false});
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  framing.finish();
  require(!framing.is_pending());
  return 0;
}
