// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "common/clock.h"
#include "common/secret_box.h"
#include "conf/settings.h"
#include "policy/decide.h"
#include "policy/ip_address.h"

namespace ipmit::milter {

using common::Duration;
using common::TimePoint;

// See fallback_decision(). The defaults keep mail flowing and the last rules in force.
using FallbackOptions = conf::FallbackSettings;
using conf::NoRules;
using conf::WhenStale;

// Where Postfix reaches us and how long things may take. Read once, at start.
struct ServiceOptions {
  std::string listen = "unix:/run/ipmit/milter.sock";  // see parse_listen_address()
  mode_t socket_mode = 0660;                           // of a unix socket
  std::string socket_group;                            // empty: left as it is
  int backlog = 1024;
  std::string pid_file;     // empty: none
  std::string http_listen;  // metrics and probes; empty: none

  Duration drain_grace{60'000};  // for open sessions at SIGTERM or take-over
  // A session that says nothing for longer is closed. Postfix takes that for a failure of the
  // filter, so it has to be longer than any SMTP session is silent (smtpd_timeout, slow bodies).
  Duration idle_limit{7'210'000};
  unsigned fd_reserve = 64;  // descriptors kept free; reached: no new sessions until some end

  Duration probe_every{1'000};     // self probe; zero: none
  Duration probe_deadline{2'000};  // for one probe
};

// What a session decides by. Replaced as a whole at SIGHUP; a session takes the new one with its
// next message. Immutable once published.
struct SessionOptions {
  policy::DecideOptions decide;
  FallbackOptions fallback;
  // Addresses of proxies, load balancers, pods: client addresses in them say nothing about who
  // sent the mail, so address rules do not apply (exemptions do).
  std::vector<policy::IpPrefix> never_match_networks = conf::MilterSettings::loopback_networks();
  // Ports on which Postfix gives us its own mail a second time (after a content filter).
  std::vector<std::uint16_t> reentry_ports;
  // Postfix transports that Reroute may name; a rule with another one is reported and does nothing.
  std::vector<std::string> reroute_transports;
  // Seals the trace header; null: no trace header.
  std::shared_ptr<const common::SecretBox> trace_box;
};

}  // namespace ipmit::milter
