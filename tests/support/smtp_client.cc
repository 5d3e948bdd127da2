// SPDX-License-Identifier: Apache-2.0
#include "tests/support/smtp_client.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <ostream>
#include <sstream>

namespace ipmit::test {
namespace {

constexpr std::chrono::seconds kSilence{60};

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8U | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kDigits[group >> (18U - 6U * j) & 63U];
    }
  }
  return out;
}

}  // namespace

std::string SmtpReply::queue_id() const {
  constexpr std::string_view kQueued = "queued as ";
  const auto at = text.find(kQueued);
  return at == std::string::npos ? std::string() : text.substr(at + kQueued.size());
}

std::ostream& operator<<(std::ostream& out, const SmtpReply& reply) {
  return out << (reply.code == 0 ? "(connection closed)" : reply.text);
}

SmtpClient::SmtpClient(std::uint16_t port, const std::string& address)
    : socket_(LineSocket::connect(address, port)), greeting_(read_reply()) {}

SmtpReply SmtpClient::read_reply() {
  SmtpReply reply;
  while (auto line = socket_.read_line(kSilence)) {
    transcript_.push_back("S: " + *line);
    reply.text += (reply.text.empty() ? "" : "\n") + *line;
    if (line->size() < 4 || (*line)[3] != '-') {
      reply.code = std::atoi(line->c_str());
      return reply;
    }
  }
  return {};
}

void SmtpClient::write_line(std::string_view line) {
  transcript_.push_back("C: " + std::string(line));
  socket_.write(std::string(line) + "\r\n");
}

SmtpReply SmtpClient::command(std::string_view line) {
  write_line(line);
  return read_reply();
}

std::vector<SmtpReply> SmtpClient::pipeline(const std::vector<std::string>& lines) {
  std::string all;
  for (const auto& line : lines) {
    transcript_.push_back("C: " + line);
    all += line + "\r\n";
  }
  socket_.write(all);
  std::vector<SmtpReply> replies;
  for (std::size_t i = 0; i < lines.size(); ++i) replies.push_back(read_reply());
  return replies;
}

SmtpReply SmtpClient::xclient(std::string_view attributes) {
  for (const std::string line : {"EHLO client.example", "XCLIENT"}) {
    auto reply = command(line == "XCLIENT" ? "XCLIENT " + std::string(attributes) : line);
    if (reply.code / 100 != 2) return reply;
  }
  return ehlo();
}

SmtpReply SmtpClient::auth_plain(std::string_view user, std::string_view password) {
  std::string token(1, '\0');
  token.append(user).append(1, '\0').append(password);
  return command("AUTH PLAIN " + base64(token));
}

SmtpReply SmtpClient::text(std::string_view text) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    write_line(line.starts_with('.') ? "." + line : line);
  }
  return command(".");
}

SmtpReply SmtpClient::bdat(std::string_view chunk, bool last) {
  write_line("BDAT " + std::to_string(chunk.size()) + (last ? " LAST" : ""));
  socket_.write(chunk);
  return read_reply();
}

SmtpReply SmtpClient::send(std::string_view sender, const std::vector<std::string>& recipients,
                           std::string_view text) {
  auto reply = command("MAIL FROM:<" + std::string(sender) + ">");
  bool accepted = false;
  if (reply.code == 250) {
    for (const auto& recipient : recipients) {
      reply = command("RCPT TO:<" + recipient + ">");
      accepted = accepted || reply.code == 250;
    }
  }
  if (accepted) reply = command("DATA");
  if (reply.code == 354) reply = this->text(text);
  if (reply.code / 100 != 2) command("RSET");
  return reply;
}

std::string mail_text(std::string_view mark, std::string_view extra_headers) {
  std::string text = "From: sender@example.com\nSubject: test\n";
  text += extra_headers;
  return text + "\nmark " + std::string(mark) + "\n";
}

}  // namespace ipmit::test
