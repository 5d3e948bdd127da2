// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace ipmit::common {

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // "/metrics", without query
  std::string query;
  std::string body;  // at most HttpServer::Options::max_body_bytes
};
struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// A small HTTP/1.1 server on a few threads of its own: metrics, probes, and later the event intake.
// Each path has one handler, called on any of the threads, several at once. Handlers may block; an
// exception becomes 500 and a log line. The destructor waits for running handlers and their
// answers.
class HttpServer {
 public:
  struct Options {
    std::string listen = "127.0.0.1:0";  // "host:port", "[::1]:port"; port 0 picks a free one
    int threads = 2;
    std::size_t max_body_bytes = 0;  // a longer body is answered 413 unread
  };
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  // PermanentError with the address and the system's reason if it cannot listen.
  explicit HttpServer(const Options& options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void handle(std::string_view path, Handler handler);  // exact path
  int port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ipmit::common
