// SPDX-License-Identifier: Apache-2.0
#include "schema/audit_change.h"

#include <utility>

#include "common/log.h"
#include "schema/mitigation_json.h"

namespace ipmit::schema {
namespace {

void log_skipped(std::uint64_t revision, std::string_view subject, const std::string& reason) {
  common::log_event(common::LogLevel::kError, "record_skipped",
                    {{"key", subject}, {"revision", revision}, {"reason", reason}});
}

}  // namespace

Change to_change(std::uint64_t revision, std::string_view kind, std::string_view subject,
                 std::string_view after) {
  if (kind == "exemption") {
    if (after.empty()) return {revision, Change::Unexempted{std::string(subject)}};
    auto exemption = exemption_from_json(after);
    if (exemption) return {revision, std::move(exemption).value()};
    log_skipped(revision, subject, exemption.problem());
    return {revision, Change::Unexempted{std::string(subject)}};
  }
  if (after.empty()) return {revision, Change::Removed{std::string(subject)}};
  auto mitigation = mitigation_from_json(after);
  if (mitigation) return {revision, std::move(mitigation).value()};
  log_skipped(revision, subject, mitigation.problem());
  return {revision, Change::Removed{std::string(subject)}};
}

}  // namespace ipmit::schema
