// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_connection.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <optional>
#include <system_error>

#include <hiredis/hiredis.h>
#include <poll.h>

#include "common/error.h"

namespace ipmit::schema {
namespace {

using common::PermanentError;
using common::TransientError;

timeval to_timeval(Duration duration) {
  const auto us = std::max<std::int64_t>(std::chrono::microseconds(duration).count(), 1);
  timeval result{};
  result.tv_sec = us / 1'000'000;
  result.tv_usec = us % 1'000'000;
  return result;
}

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

std::string name_of(const RedisUrl::Host& host) {
  return host.name + ":" + std::to_string(host.port);
}

enum class ErrorKind { kPermanent, kTransient, kTransientClose, kPermanentClose };

// By the first word of the reply, which is Redis's error code.
ErrorKind kind_of(std::string_view error) {
  const std::string_view code = error.substr(0, error.find(' '));
  for (const std::string_view moved : {"READONLY", "MASTERDOWN", "MOVED", "UNBLOCKED"})
    if (code == moved) return ErrorKind::kTransientClose;
  for (const std::string_view passing :
       {"LOADING", "TRYAGAIN", "CLUSTERDOWN", "BUSY", "OOM", "MISCONF", "NOREPLICAS"})
    if (code == passing) return ErrorKind::kTransient;
  // Closed, so that the next connect reads the password file again.
  for (const std::string_view denied : {"NOAUTH", "WRONGPASS"})
    if (code == denied) return ErrorKind::kPermanentClose;
  return ErrorKind::kPermanent;
}

}  // namespace

bool RedisValue::is_nil() const {
  return reply_->type == REDIS_REPLY_NIL;
}
bool RedisValue::is_array() const {
  return reply_->type == REDIS_REPLY_ARRAY;
}
bool RedisValue::is_error() const {
  return reply_->type == REDIS_REPLY_ERROR;
}

std::string_view RedisValue::text() const {
  if (reply_->str == nullptr) return {};
  return {reply_->str, reply_->len};
}

std::int64_t RedisValue::integer() const {
  if (reply_->type == REDIS_REPLY_INTEGER) return reply_->integer;
  const std::string_view digits = text();
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::size_t RedisValue::size() const {
  return is_array() ? reply_->elements : 0;
}

RedisValue RedisValue::operator[](std::size_t i) const {
  return RedisValue(reply_->element[i]);
}

void RedisReply::Free::operator()(redisReply* reply) const {
  freeReplyObject(reply);
}
void RedisConnection::FreeContext::operator()(redisContext* context) const {
  redisFree(context);
}

RedisConnection::RedisConnection(RedisOptions options)
    : options_(std::move(options)), backoff_(options_.first_retry, options_.most_retry) {
  // hiredis 0.14 writes without MSG_NOSIGNAL: a server that went away must not end the program.
  [[maybe_unused]] static const auto ignored = std::signal(SIGPIPE, SIG_IGN);
}

RedisConnection::~RedisConnection() = default;

void RedisConnection::close() {
  context_.reset();
}

void RedisConnection::fail(const std::string& reason) {
  close();
  throw TransientError("redis " + peer_ + ": " + reason);
}

void RedisConnection::throw_error(std::string_view error, std::string_view command) {
  std::string message = "redis " + peer_ + ": " + std::string(command) + ": " + std::string(error);
  switch (kind_of(error)) {
    case ErrorKind::kTransientClose:
      close();
      [[fallthrough]];
    case ErrorKind::kTransient:
      throw TransientError(message);
    case ErrorKind::kPermanentClose:
      close();
      break;
    case ErrorKind::kPermanent:
      break;
  }
  throw PermanentError(message);
}

void RedisConnection::throw_if_error(const RedisReply& reply, std::string_view command) {
  if (reply.value().is_error()) throw_error(reply.value().text(), command);
}

RedisConnection::Context RedisConnection::open(const RedisUrl::Host& host) const {
  const timeval deadline = to_timeval(options_.connect_deadline);
  const bool by_path = options_.url.kind == RedisUrl::Kind::kUnix;
  Context context(by_path ? redisConnectUnixWithTimeout(options_.url.path.c_str(), deadline)
                          : redisConnectWithTimeout(host.name.c_str(), host.port, deadline));
  const std::string peer = by_path ? options_.url.path : name_of(host);
  if (!context) throw TransientError("redis " + peer + ": out of memory");
  if (context->err != 0)
    throw TransientError("redis " + peer + ": " + std::string(context->errstr));
  redisSetTimeout(context.get(), to_timeval(options_.command_deadline));
  if (!by_path) redisEnableKeepAlive(context.get());
  return context;
}

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
      reasons += "; " + name_of(sentinel) + ": knows no master " + options_.url.master;
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
  peer_ = name_of(master_);
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

void RedisConnection::send(Words words) {
  std::vector<const char*> starts(words.size());
  std::vector<std::size_t> sizes(words.size());
  for (std::size_t i = 0; i < words.size(); ++i) {
    starts[i] = words[i].data() == nullptr ? "" : words[i].data();
    sizes[i] = words[i].size();
  }
  if (redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), starts.data(),
                             sizes.data()) != REDIS_OK)
    fail(context_->errstr);
}

void RedisConnection::flush() {
  for (int done = 0; done == 0;)
    if (redisBufferWrite(context_.get(), &done) != REDIS_OK) fail(context_->errstr);
}

RedisReply RedisConnection::receive(Clock::time_point deadline) {
  flush();
  for (;;) {
    void* reply = nullptr;
    if (redisGetReplyFromReader(context_.get(), &reply) != REDIS_OK) fail(context_->errstr);
    if (reply != nullptr) return RedisReply(reply);
    pollfd waiting{context_->fd, POLLIN, 0};
    const auto left = std::chrono::ceil<Duration>(deadline - Clock::now());
    const int ready = left.count() <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) fail(std::generic_category().message(errno));
    if (ready == 0) fail("no answer within the deadline");
    if (redisBufferRead(context_.get()) != REDIS_OK) fail(context_->errstr);
  }
}

RedisReply RedisConnection::exchange(Words words, Duration deadline) {
  const auto until = Clock::now() + deadline;
  send(words);
  return receive(until);
}

RedisReply RedisConnection::command(Words words) {
  return command(words, options_.command_deadline);
}

RedisReply RedisConnection::command(Words words, Duration deadline) {
  require_connection();
  RedisReply reply = exchange(words, deadline);
  throw_if_error(reply, words.front());
  return reply;
}

std::vector<RedisReply> RedisConnection::pipeline(Commands commands) {
  std::vector<RedisReply> replies;
  replies.reserve(commands.size());
  pipeline(commands, [&](std::size_t, RedisReply reply) { replies.push_back(std::move(reply)); });
  return replies;
}

void RedisConnection::pipeline(Commands commands, const TakeReply& take) {
  require_connection();
  for (const auto& words : commands) send(words);
  const auto first_error = receive_all(commands.size(), take);
  if (first_error) throw_error(first_error->text, commands[first_error->index].front());
}

void RedisConnection::send_ahead(Commands commands) {
  require_connection();
  for (const auto& words : commands) send(words);
  flush();
}

void RedisConnection::receive_sent(std::size_t count, const TakeReply& take) {
  if (!context_) throw TransientError(last_failure_);
  const auto first_error = receive_all(count, take);
  if (first_error) throw_error(first_error->text, "pipeline");
}

std::optional<RedisConnection::ErrorReply> RedisConnection::receive_all(std::size_t count,
                                                                        const TakeReply& take) {
  std::optional<ErrorReply> first_error;
  for (std::size_t i = 0; i < count; ++i) {
    RedisReply reply = receive(Clock::now() + options_.command_deadline);
    if (!reply.value().is_error()) {
      take(i, std::move(reply));
    } else if (!first_error) {
      first_error = ErrorReply{i, std::string(reply.value().text())};
    }
  }
  return first_error;
}

RedisReply RedisConnection::run(const RedisScript& script, Words keys, Words arguments) {
  return run(script, keys, arguments, options_.command_deadline);
}

RedisReply RedisConnection::run(const RedisScript& script, Words keys, Words arguments,
                                Duration deadline) {
  const std::string key_count = std::to_string(keys.size());
  std::vector<std::string_view> words{"EVALSHA", script.sha1, key_count};
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), arguments.begin(), arguments.end());
  require_connection();
  RedisReply reply = exchange(words, deadline);
  if (reply.value().is_error() && reply.value().text().substr(0, 8) == "NOSCRIPT") {
    words[0] = "EVAL";
    words[1] = script.text;
    reply = exchange(words, deadline);
  }
  throw_if_error(reply, words.front());
  return reply;
}

}  // namespace ipmit::schema
