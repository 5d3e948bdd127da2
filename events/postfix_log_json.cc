// SPDX-License-Identifier: Apache-2.0
#include "common/json_text.h"
#include "events/postfix_log.h"

namespace ipmit::events {
namespace {

void append_delivery(common::JsonObjectText& json, const LogRecord& record) {
  json.always_text("recipient", record.recipient);
  json.always_text("orig_to", record.orig_to);
  json.always_text("relay", record.relay);
  if (!record.relay_address.empty() || !record.relay_host.empty()) {
    json.always_text("relay_host", record.relay_host);
    json.always_text("relay_ip", record.relay_address);
    json.number("relay_port", record.relay_port);
  }
  if (record.conn_use != 0) json.number("conn_use", record.conn_use);
  if (is_log_seconds(record.delay)) json.raw("delay", record.delay);
  json.text("delays", record.delays);
  json.text("dsn", record.enhanced_code);
  json.text("status", record.status);
  if (record.kind == LogKind::kDelivery) json.always_text("text", record.text);
  if (record.truncated) json.boolean("truncated", true);
}

void append_kind(common::JsonObjectText& json, const LogRecord& record) {
  switch (record.kind) {
    case LogKind::kQueueActive:
      json.always_text("sender", record.sender);
      json.number("size", record.size_bytes);
      json.number("nrcpt", record.recipient_count);
      break;
    case LogKind::kExpired:
      json.always_text("sender", record.sender);
      json.always_text("status", record.status);
      break;
    case LogKind::kMessageId:
      json.always_text("message_id", record.message_id);
      break;
    case LogKind::kClient:
      json.always_text("client_name", record.client_name);
      json.always_text("client_address", record.client_address);
      json.text("sasl_user", record.sasl_user);
      break;
    case LogKind::kBounceNotice:
      json.always_text("notice", record.notice);
      json.always_text("notice_queueid", record.notice_queue_id);
      break;
    case LogKind::kPickup:
      json.always_text("sender", record.sender);
      break;
    case LogKind::kRefusal:
      json.always_text("refused_by", record.own_refusal      ? "ipmit"
                                     : record.milter_refusal ? "milter"
                                                             : "postfix");
      break;
    case LogKind::kOther:
    case LogKind::kDelivery:
      if (!record.recipient.empty()) append_delivery(json, record);
      break;
    case LogKind::kRemoved:
      break;
  }
}

}  // namespace

void append_json(std::string& out, const LogRecord& record) {
  common::JsonObjectText json(out);
  json.text("timestamp", record.timestamp);
  json.text("host", record.host);
  json.text("instance", record.instance);
  json.text("service", record.service);
  json.text("program", record.program);
  if (record.pid >= 0) json.number("pid", static_cast<std::uint64_t>(record.pid));
  json.text("queueid", record.queue_id);
  json.always_text("kind", to_string(record.kind));
  append_kind(json, record);
  json.finish();
}

}  // namespace ipmit::events
