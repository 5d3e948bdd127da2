// SPDX-License-Identifier: Apache-2.0
#include "common/http_server.h"

#include <algorithm>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "common/metrics.h"

namespace ipmit::common {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::string talk(int port, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string reply;
  char chunk[4096];
  ssize_t got = 0;
  while ((got = read(fd, chunk, sizeof chunk)) > 0)
    reply.append(chunk, static_cast<std::size_t>(got));
  close(fd);
  return reply;
}

std::string get(int port, const std::string& path) {
  return talk(port, "GET " + path + " HTTP/1.0\r\n\r\n");
}

TEST(HttpServer, EachPathHasItsHandler) {
  HttpServer server({});
  server.handle("/livez", [](const HttpRequest& request) {
    return HttpResponse{200, "text/plain", request.method + " " + request.query};
  });
  const std::string reply = get(server.port(), "/livez?verbose");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\nGET verbose"));
  EXPECT_THAT(get(server.port(), "/other"), StartsWith("HTTP/1.1 404 "));
}

TEST(HttpServer, AFailingHandlerIsA500AndTheServerGoesOn) {
  HttpServer server({});
  server.handle("/bad", [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("no"); });
  server.handle("/good", [](const HttpRequest&) { return HttpResponse{}; });
  EXPECT_THAT(get(server.port(), "/bad"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(get(server.port(), "/good"), StartsWith("HTTP/1.1 200 "));
}

TEST(HttpServer, BodiesAreLimited) {
  HttpServer::Options options;
  options.max_body_bytes = 4;
  HttpServer server(options);
  server.handle("/in", [](const HttpRequest& request) {
    return HttpResponse{202, "text/plain", request.body};
  });
  const std::string head = "POST /in HTTP/1.0\r\nContent-Length: ";
  EXPECT_THAT(talk(server.port(), head + "4\r\n\r\nabcd"), HasSubstr("202 Accepted"));
  EXPECT_THAT(talk(server.port(), head + "5\r\n\r\nabcde"), HasSubstr("413 "));
}

// civetweb by itself breaks off what it is sending when it is told to stop.
TEST(HttpServer, TheLastAnswerIsWhole) {
  constexpr std::size_t kSize = 32 << 20;
  std::promise<void> asked;
  std::optional<HttpServer> server(std::in_place, HttpServer::Options{});
  server->handle("/drain", [&](const HttpRequest&) {
    asked.set_value();
    return HttpResponse{202, "text/plain", std::string(kSize, 'x')};
  });
  auto reply = std::async(std::launch::async, get, server->port(), "/drain");
  asked.get_future().wait();
  server.reset();
  const std::string text = reply.get();
  EXPECT_EQ(text.size() - std::min(text.size(), text.find("\r\n\r\n")), kSize + 4);
}

TEST(HttpServer, SaysWhyItCannotListen) {
  HttpServer first({});
  HttpServer::Options taken;
  taken.listen = "127.0.0.1:" + std::to_string(first.port());
  for (const std::string& listen : {taken.listen, std::string("nonsense")}) {
    HttpServer::Options options;
    options.listen = listen;
    try {
      const HttpServer second(options);
      ADD_FAILURE() << "listened on " << listen;
    } catch (const PermanentError& error) {
      EXPECT_THAT(error.what(), HasSubstr("cannot serve HTTP on " + listen + ": "));
    }
  }
}

TEST(Metrics, SameNameAndLabelsAreOneMetric) {
  Metrics metrics;
  metrics.counter("ipmit_test_events_total", "Events.", {{"result", "ok"}}).add();
  metrics.counter("ipmit_test_events_total", "Events.", {{"result", "ok"}}).add(2);
  metrics.gauge("ipmit_test_rules", "Rules.").set(7);
  metrics.histogram("ipmit_test_seconds", "Time.", {0.1, 1}).observe(0.5);
  const std::string text = metrics.to_text();
  EXPECT_THAT(text, HasSubstr("# HELP ipmit_test_events_total Events.\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_events_total{result=\"ok\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_rules 7\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_seconds_bucket{le=\"1\"} 1\n"));
}

}  // namespace
}  // namespace ipmit::common
