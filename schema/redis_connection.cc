// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_connection.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

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

// The values of one reply, back to back in blocks that are freed together: hiredis itself allocates
// twice for each value, much of what reading many small records costs. The first value of the first
// block is the reply itself, so its address is all that is needed to free it.
struct RedisConnection::ReplyMemory {
  struct Block {
    Block* next;
    std::size_t size;
  };
  Block* last = nullptr;  // of the reply that is being read
  std::size_t used = 0;   // of it

  void* take(std::size_t bytes, bool begins_reply) {
    constexpr std::size_t kAlign = alignof(std::max_align_t);
    constexpr std::size_t kFirstBlock = 2'000;
    bytes = (bytes + kAlign - 1) / kAlign * kAlign;
    if (begins_reply || used + bytes > last->size) {
      const std::size_t size = std::max(bytes, begins_reply ? kFirstBlock : 2 * last->size);
      auto* const block = static_cast<Block*>(std::malloc(sizeof(Block) + size));
      if (block == nullptr) return nullptr;
      *block = {nullptr, size};
      if (!begins_reply) last->next = block;
      last = block;
      used = 0;
    }
    void* const at = reinterpret_cast<char*>(last + 1) + used;
    used += bytes;
    return at;
  }

  // What hiredis calls for each value it reads; null: out of memory.
  static ReplyMemory& of(const redisReadTask* task) {
    return *static_cast<ReplyMemory*>(task->privdata);
  }
  static redisReply* add(const redisReadTask* task) {
    void* const at = of(task).take(sizeof(redisReply), task->parent == nullptr);
    if (at == nullptr) return nullptr;
    auto* const reply = new (at) redisReply{};  // cppcheck-suppress legacyUninitvar
    reply->type = task->type;
    if (task->parent != nullptr)
      static_cast<redisReply*>(task->parent->obj)->element[task->idx] = reply;
    return reply;
  }
  static void* add_string(const redisReadTask* task, char* text, std::size_t size) {
    redisReply* const reply = add(task);
    if (reply == nullptr) return nullptr;
    reply->str = static_cast<char*>(of(task).take(size + 1, false));
    if (reply->str == nullptr) return nullptr;
    std::memcpy(reply->str, text, size);
    reply->str[size] = '\0';
    reply->len = size;
    return reply;
  }
  static void* add_array(const redisReadTask* task, int elements) {
    redisReply* const reply = add(task);
    if (reply == nullptr || elements <= 0) return reply;
    const auto count = static_cast<std::size_t>(elements);
    void* const at = of(task).take(count * sizeof(redisReply*), false);
    if (at == nullptr) return nullptr;
    std::memset(at, 0, count * sizeof(redisReply*));
    reply->element = static_cast<redisReply**>(at);
    reply->elements = count;
    return reply;
  }
  static void* add_integer(const redisReadTask* task, long long value) {
    redisReply* const reply = add(task);
    if (reply != nullptr) reply->integer = value;
    return reply;
  }
  static void* add_nil(const redisReadTask* task) {
    redisReply* const reply = add(task);
    if (reply != nullptr) reply->type = REDIS_REPLY_NIL;  // the task says which kind is missing
    return reply;
  }
  static void release(void* reply) {
    if (reply == nullptr) return;
    for (Block* block = static_cast<Block*>(reply) - 1; block != nullptr;)
      std::free(std::exchange(block, block->next));
  }
};

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
  RedisConnection::release(reply);
}
void RedisConnection::FreeContext::operator()(redisContext* context) const {
  redisFree(context);
}

RedisConnection::RedisConnection(RedisOptions options)
    : options_(std::move(options)),
      memory_(std::make_unique<ReplyMemory>()),
      backoff_(options_.first_retry, options_.most_retry) {
  // hiredis 0.14 writes without MSG_NOSIGNAL: a server that went away must not end the program.
  [[maybe_unused]] static const auto ignored = std::signal(SIGPIPE, SIG_IGN);
}

RedisConnection::~RedisConnection() = default;

void RedisConnection::release(redisReply* reply) {
  ReplyMemory::release(reply);
}

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
  const std::string peer = by_path ? options_.url.path : host.to_text();
  if (!context) throw TransientError("redis " + peer + ": out of memory");
  if (context->err != 0)
    throw TransientError("redis " + peer + ": " + std::string(context->errstr));
  static redisReplyObjectFunctions functions = {ReplyMemory::add_string, ReplyMemory::add_array,
                                                ReplyMemory::add_integer, ReplyMemory::add_nil,
                                                ReplyMemory::release};
  context->reader->fn = &functions;
  context->reader->privdata = memory_.get();
  redisSetTimeout(context.get(), to_timeval(options_.command_deadline));
  if (!by_path) redisEnableKeepAlive(context.get());
  return context;
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
