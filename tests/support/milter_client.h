// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/milter_wire.h"

namespace ipmit::test {

// What the filter said: 'c' continue, 'a' accept, 'r' reject, 't' tempfail, 'd' discard, 'y' a
// reply with its text ("451 4.7.1 …"), '?' nothing (closed, or not within the deadline).
struct MilterReply {
  char command = '?';
  std::string text;
};
struct MilterEdit {
  char kind = '?';  // 'h' add, 'i' insert, 'm' change or delete
  std::uint32_t index = 0;
  std::string name, value;
};
struct EomReply {
  std::vector<MilterEdit> edits;
  MilterReply reply;
};

// Plays Postfix's part towards a filter, one SMTP session. Each call sends the command and waits
// for its answer.
class MilterClient {
 public:
  using Macros = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  explicit MilterClient(const common::ListenAddress& address,
                        common::Duration patience = common::Duration{10'000});

  bool is_open() const { return wire_.is_open(); }
  common::WireClient& wire() { return wire_; }

  // The filter's answer, or nothing. `steps()` is what it wants to be spared.
  bool negotiate(std::uint32_t actions = common::kPostfixActions,
                 std::uint32_t steps = common::kPostfixSteps);
  std::uint32_t actions() const { return actions_; }
  std::uint32_t steps() const { return steps_; }
  const std::string& symbol_lists() const { return symbol_lists_; }

  void macros(char step, Macros macros);
  MilterReply connect(std::string_view host, std::string_view address, std::uint16_t port = 40000);
  MilterReply connect_unknown(std::string_view host = "unknown");
  MilterReply mail(std::string_view argument, Macros macros = {});
  MilterReply rcpt(std::string_view argument, Macros macros = {});
  EomReply eom(Macros macros = {});
  void send_eom(Macros macros = {});  // the two halves of eom()
  EomReply read_eom();
  void abort() { wire_.send('A', {}); }
  void quit() { wire_.send('Q', {}); }
  MilterReply read_reply();

 private:
  common::WireClient wire_;
  common::Duration patience_;
  std::uint32_t actions_ = 0, steps_ = 0;
  std::string symbol_lists_;
};

// negotiate() and connect() as for a client of `address`; fails the running test if not answered.
MilterClient open_session(const common::ListenAddress& where, std::string_view address);

}  // namespace ipmit::test
