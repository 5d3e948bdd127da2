// SPDX-License-Identifier: Apache-2.0
#include "common/http_server.h"

#include <array>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <civetweb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"

namespace ipmit::common {
namespace {

constexpr std::chrono::seconds kAnswerPatience{10};

// civetweb starts and ends as a library, not as an object.
void start_library() {
  static std::once_flag once;
  std::call_once(once, [] { mg_init_library(0); });
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Payload Too Large";
    case 429:
      return "Too Many Requests";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

void send(mg_connection* connection, const HttpResponse& response) {
  const std::string_view phrase = reason_phrase(response.status);
  mg_printf(connection,
            "HTTP/1.1 %d %.*s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
            "Cache-Control: no-store\r\n\r\n",
            response.status, static_cast<int>(phrase.size()), phrase.data(),
            response.content_type.c_str(), response.body.size());
  mg_write(connection, response.body.data(), response.body.size());
}

// false: longer than `most`.
bool read_body(mg_connection* connection, std::size_t most, std::string& body) {
  std::array<char, 8192> chunk{};
  for (;;) {
    const int got = mg_read(connection, chunk.data(), chunk.size());
    if (got <= 0) return true;
    if (body.size() + static_cast<std::size_t>(got) > most) return false;
    body.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

// civetweb looks at its stop flag only when a connection comes or its poll of 2 s ends: knock.
void knock(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // A refusal only means that stopping takes the 2 s.
  (void)connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  close(fd);
}

}  // namespace

struct HttpServer::Impl {
  mg_context* context = nullptr;
  std::size_t max_body_bytes = 0;
  std::mutex mutex;
  std::map<std::string, Handler, std::less<>> handlers;  // guarded by mutex
  int answering = 0;                                     // likewise: requests
  std::condition_variable answered;
  std::string listen_error;  // written by civetweb's log callback during mg_start only

  void serve(mg_connection* connection) {
    count(+1);
    send(connection, answer(connection));
    count(-1);
  }
  void count(int change) {
    const std::lock_guard lock(mutex);
    answering += change;
    if (answering == 0) answered.notify_all();
  }
  // civetweb breaks off what it is sending when it is told to stop.
  void wait_for_answers() {
    std::unique_lock lock(mutex);
    answered.wait_for(lock, kAnswerPatience, [this] { return answering == 0; });
  }
  HttpResponse answer(mg_connection* connection) {
    const mg_request_info* info = mg_get_request_info(connection);
    HttpRequest request{info->request_method, info->local_uri,
                        info->query_string == nullptr ? "" : info->query_string, ""};
    if (!read_body(connection, max_body_bytes, request.body)) {
      return {413, "text/plain", "body too long\n"};
    }
    Handler handler;
    {
      const std::lock_guard lock(mutex);
      const auto found = handlers.find(request.path);
      if (found == handlers.end()) return {404, "text/plain", "no such page\n"};
      handler = found->second;
    }
    try {
      return handler(request);
    } catch (const std::exception& error) {
      log_event(LogLevel::kError, "http_handler_failed",
                {{"path", request.path}, {"reason", error.what()}});
      return {500, "text/plain", "internal error\n"};
    }
  }
};

HttpServer::HttpServer(const Options& options) : impl_(std::make_unique<Impl>()) {
  start_library();
  impl_->max_body_bytes = options.max_body_bytes;
  const std::string threads = std::to_string(options.threads);
  const std::array<const char*, 11> settings{"listening_ports",
                                             options.listen.c_str(),
                                             "num_threads",
                                             threads.c_str(),
                                             "request_timeout_ms",
                                             "10000",
                                             "enable_keep_alive",
                                             "yes",
                                             "keep_alive_timeout_ms",
                                             "5000",
                                             nullptr};
  mg_callbacks callbacks{};
  callbacks.begin_request = [](mg_connection* connection) {
    static_cast<Impl*>(mg_get_user_data(mg_get_context(connection)))->serve(connection);
    return 200;
  };
  callbacks.log_message = [](const mg_connection* connection, const char* message) {
    auto* self = static_cast<Impl*>(mg_get_user_data(mg_get_context(connection)));
    if (self != nullptr && self->context == nullptr) self->listen_error = message;
    return 1;
  };
  impl_->context = mg_start(&callbacks, impl_.get(), const_cast<const char**>(settings.data()));
  if (impl_->context == nullptr) {
    throw PermanentError("cannot serve HTTP on " + options.listen + ": " +
                         (impl_->listen_error.empty() ? "bad address" : impl_->listen_error));
  }
}

HttpServer::~HttpServer() {
  impl_->wait_for_answers();
  const std::jthread knocker([listening = port()](const std::stop_token& stopped) {
    for (; !stopped.stop_requested(); std::this_thread::sleep_for(std::chrono::milliseconds(10))) {
      knock(listening);
    }
  });
  mg_stop(impl_->context);
}

void HttpServer::handle(std::string_view path, Handler handler) {
  const std::lock_guard lock(impl_->mutex);
  impl_->handlers.insert_or_assign(std::string(path), std::move(handler));
}

int HttpServer::port() const {
  std::array<mg_server_port, 4> ports{};
  const int count =
      mg_get_server_ports(impl_->context, static_cast<int>(ports.size()), ports.data());
  return count > 0 ? ports[0].port : 0;
}

}  // namespace ipmit::common
