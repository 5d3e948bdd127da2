// SPDX-License-Identifier: Apache-2.0
// How a RedisConnection comes about: which server, who we are, when to try again.
#include <fstream>

#include "common/error.h"
#include "schema/redis_connection.h"

namespace ipmit::schema {
namespace {

using common::PermanentError;
using common::TransientError;

std::string read_password(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string password;
  if (!file || (!std::getline(file, password) && !file.eof()))
    throw PermanentError("redis password file " + path.string() + ": cannot be read");
  while (!password.empty() && (password.back() == '\r' || password.back() == '\n'))
    password.pop_back();
  if (password.empty()) throw PermanentError("redis password file " + path.string() + ": is empty");
  return password;
}

}  // namespace

// Any Sentinel's answer will do; the one that answered is asked first the next time.
RedisUrl::Host RedisConnection::ask_sentinels() {
  const auto& sentinels = options_.url.hosts;
  std::string reasons;
  for (std::size_t i = 0; i < sentinels.size(); ++i) {
    const auto& sentinel = sentinels[next_sentinel_];
    RedisOptions options = options_;
    options.url = RedisUrl{};
    options.url.hosts = {sentinel};
    options.password_file.clear();
    options.client_name.clear();
    try {
      RedisConnection connection(options);
      const RedisReply reply = connection.command(
          {"SENTINEL", "get-master-addr-by-name", std::string_view(options_.url.master)});
      if (reply.value().size() == 2)
        return {std::string(reply[0].text()), static_cast<std::uint16_t>(reply[1].integer())};
      reasons += "; " + sentinel.to_text() + ": knows no master " + options_.url.master;
    } catch (const std::runtime_error& error) {
      reasons += "; " + std::string(error.what());
    }
    next_sentinel_ = (next_sentinel_ + 1) % sentinels.size();
  }
  throw TransientError("redis: no Sentinel named a master" + reasons);
}

RedisConnection::Context RedisConnection::open_server() {
  switch (options_.url.kind) {
    case RedisUrl::Kind::kUnix:
      peer_ = options_.url.path;
      return open({});
    case RedisUrl::Kind::kTcp:
      master_ = options_.url.hosts.front();
      break;
    case RedisUrl::Kind::kSentinel:
      master_ = ask_sentinels();
      break;
  }
  peer_ = master_.to_text();
  return open(master_);
}

void RedisConnection::authenticate() {
  const auto ask = [this](std::initializer_list<std::string_view> words) {
    const RedisReply reply =
        exchange(Words(words.begin(), words.size()), options_.command_deadline);
    throw_if_error(reply, *words.begin());
    return reply.value().is_array() ? std::string(reply[0].text()) : std::string();
  };
  const bool has_file = !options_.password_file.empty();
  const std::string password = has_file ? read_password(options_.password_file) : "";
  if (!options_.url.user.empty()) {
    ask({"AUTH", options_.url.user, password});
  } else if (has_file) {
    ask({"AUTH", password});
  }
  if (options_.url.database != 0) ask({"SELECT", std::to_string(options_.url.database)});
  if (!options_.client_name.empty()) {
    const std::string_view words[] = {"CLIENT", "SETNAME", options_.client_name};
    exchange(words, options_.command_deadline);  // a user without that right is as good
  }
  if (options_.url.kind == RedisUrl::Kind::kSentinel && ask({"ROLE"}) != "master")
    fail("is not the master (any more)");
}

void RedisConnection::connect() {
  if (context_) return;
  try {
    context_ = open_server();
    authenticate();
  } catch (const std::runtime_error& error) {
    close();
    last_failure_ = error.what();
    retry_at_ = Clock::now() + backoff_.next();
    throw;
  }
  backoff_.reset();
  master_checked_at_ = Clock::now();
}

void RedisConnection::require_connection() {
  const auto now = Clock::now();
  if (context_ && options_.master_check.count() > 0 &&
      now - master_checked_at_ >= options_.master_check)
    check_master();
  if (context_) return;
  if (now < retry_at_) throw TransientError(last_failure_ + " (retry not due)");
  connect();
}

void RedisConnection::check_master() {
  if (options_.url.kind != RedisUrl::Kind::kSentinel || !context_) return;
  master_checked_at_ = Clock::now();
  try {
    if (ask_sentinels() != master_) close();
  } catch (const TransientError&) {
    // Sentinels away: what is connected is the best that is known.
  }
}

}  // namespace ipmit::schema
