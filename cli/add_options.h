// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/error.h"
#include "policy/mitigation.h"

namespace ipmit::cli {

// What `ipmitctl add` was given, as typed; empty: not given.
struct AddOptions {
  std::vector<std::string> targets;
  std::vector<std::string> scope_sender_domains, scope_users, scope_recipient_domains;
  std::string action, limit, unit, burst, per;
  std::string duration, until;
  bool forever = false;
  bool dry_run = false;
  bool force = false;
  bool replace = false;
  std::int64_t priority = 0;
  std::string reply_code, reply_enhanced, reply_text, transport;
  std::string name, reason, file, wait;
};

inline constexpr common::Duration kDefaultLife = std::chrono::hours(24);

// The mitigation they mean; canonical and valid. Its name is empty where none was given. Problem:
// "--option: reason".
common::Result<policy::Mitigation> to_mitigation(const AddOptions& options, common::TimePoint now);

// "mail/m-7k3q2a": 30 random bits in base32.
std::string random_name();

// Why a person should not store this, and what to do instead; unset: go ahead. `force` lifts what
// may be meant (very wide ranges), never what cannot be (loopback).
std::optional<common::Problem> find_danger(const policy::Mitigation& mitigation, bool force);

// "--reason" as the store takes it: one line, 1 to 500 bytes.
std::optional<common::Problem> check_reason(const std::string& reason);

}  // namespace ipmit::cli
