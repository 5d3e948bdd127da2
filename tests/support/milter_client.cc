// SPDX-License-Identifier: Apache-2.0
#include "tests/support/milter_client.h"

#include <cstring>

#include <arpa/inet.h>

namespace ipmit::test {
namespace {

std::uint32_t number_at(std::string_view data, std::size_t offset) {
  std::uint32_t value = 0;
  if (data.size() >= offset + sizeof value) std::memcpy(&value, data.data() + offset, sizeof value);
  return ntohl(value);
}

std::string argument_list(std::string_view argument) {
  std::string data(argument);
  data += '\0';
  return data;
}

std::string until_nul(std::string_view data) {
  return std::string(data.substr(0, data.find('\0')));
}

MilterEdit parse_edit(const common::WirePacket& packet) {
  MilterEdit edit{packet.command, 0, {}, {}};
  std::string_view rest = packet.data;
  if (packet.command != 'h') {
    edit.index = number_at(rest, 0);
    rest.remove_prefix(std::min<std::size_t>(4, rest.size()));
  }
  edit.name = until_nul(rest);
  rest.remove_prefix(std::min(edit.name.size() + 1, rest.size()));
  edit.value = until_nul(rest);
  return edit;
}

}  // namespace

MilterClient::MilterClient(const common::ListenAddress& address, common::Duration patience)
    : patience_(patience) {
  wire_.connect(address, patience);
}

bool MilterClient::negotiate(std::uint32_t actions, std::uint32_t steps) {
  if (!wire_.send('O', common::negotiation(actions, steps))) return false;
  const auto answer = wire_.receive(patience_);
  if (!answer || answer->command != 'O' || answer->data.size() < 12) return false;
  actions_ = number_at(answer->data, 4);
  steps_ = number_at(answer->data, 8);
  symbol_lists_ = answer->data.substr(12);
  return true;
}

void MilterClient::macros(char step, Macros macros) {
  std::string data(1, step);
  for (const auto& [name, value] : macros) {
    data += argument_list(name);
    data += argument_list(value);
  }
  wire_.send('D', data);
}

MilterReply MilterClient::read_reply() {
  const auto packet = wire_.receive(patience_);
  if (!packet) return {};
  return {packet->command, until_nul(packet->data)};
}

MilterReply MilterClient::connect(std::string_view host, std::string_view address,
                                  std::uint16_t port) {
  const char family = address.find(':') == std::string_view::npos ? '4' : '6';
  wire_.send('C', common::connect_info(host, family, port, address));
  return read_reply();
}

MilterReply MilterClient::connect_unknown(std::string_view host) {
  wire_.send('C', common::connect_info(host, 'U', 0, {}));
  return read_reply();
}

MilterReply MilterClient::mail(std::string_view argument, Macros list) {
  macros('M', list);
  wire_.send('M', argument_list(argument));
  return read_reply();
}

MilterReply MilterClient::rcpt(std::string_view argument, Macros list) {
  macros('R', list);
  wire_.send('R', argument_list(argument));
  return read_reply();
}

EomReply MilterClient::eom(Macros list) {
  send_eom(list);
  return read_eom();
}

void MilterClient::send_eom(Macros list) {
  macros('E', list);
  wire_.send('E', {});
}

EomReply MilterClient::read_eom() {
  EomReply result;
  for (;;) {
    const auto packet = wire_.receive(patience_);
    if (!packet) return result;
    if (packet->command == 'h' || packet->command == 'i' || packet->command == 'm') {
      result.edits.push_back(parse_edit(*packet));
      continue;
    }
    result.reply = {packet->command, until_nul(packet->data)};
    return result;
  }
}

MilterClient open_session(const common::ListenAddress& where, std::string_view address) {
  MilterClient client(where);
  client.negotiate();
  client.macros('C', {{"{daemon_port}", "25"}});
  client.connect("client.example", address);
  return client;
}

}  // namespace ipmit::test
