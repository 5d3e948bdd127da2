// SPDX-License-Identifier: Apache-2.0
// ipmit-milter's mail path against an empty libmilter filter with the same negotiated steps and
// edits, both over unix sockets, in interleaved rounds of one run; then idle sessions, and what one
// held thread does to the others. Prints a line a measurement; ratios are what counts.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/milter_filters.h"
#include "tests/support/milter_client.h"
#include "tests/support/process.h"

namespace {

using namespace ipmit;
using namespace std::string_view_literals;
using SteadyClock = std::chrono::steady_clock;
using test::MilterClient;

constexpr int kLives = 16;   // pairs of filter processes
constexpr int kRounds = 24;  // of each pair
constexpr std::chrono::milliseconds kRound{40};

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

std::vector<MilterClient> open_sessions(const std::string& socket, int count) {
  const auto where = common::parse_listen_address("unix:" + socket).value();
  test::wait_until([&] { return MilterClient(where, common::Duration{0}).is_open(); });
  std::vector<MilterClient> sessions;
  sessions.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) sessions.push_back(test::open_session(where, "198.51.100.7"));
  return sessions;
}

// Keeps every session busy from one thread: the answer to one command is followed by the next.
class Driver {
 public:
  explicit Driver(std::vector<MilterClient>& sessions)
      : sessions_(sessions), step_(sessions.size()) {
    for (MilterClient& session : sessions) polled_.push_back({session.wire().fd(), POLLIN, 0});
  }

  double messages_per_second(std::chrono::milliseconds duration) {
    std::size_t messages = 0;
    const auto start = SteadyClock::now();
    for (std::size_t i = 0; i < sessions_.size(); ++i) send(i);
    while (SteadyClock::now() - start < duration) messages += answer(true);
    const double rate = static_cast<double>(messages) / seconds_since(start);
    std::size_t open = sessions_.size();
    while (open > 0) open -= finish();
    return rate;
  }

 private:
  static const std::string& command(std::size_t step) {
    static const std::string commands[] = {
        common::encode_packet('D', "M{mail_addr}\0a@example.com\0"sv) +
            common::encode_packet('M', "<a@example.com>\0"sv),
        common::encode_packet('D', "R{rcpt_addr}\0b@example.net\0{rcpt_mailer}\0smtp\0"sv) +
            common::encode_packet('R', "<b@example.net>\0"sv),
        common::encode_packet('D', "Ei\0004QUEUE\0"sv) + common::encode_packet('E', ""sv)};
    return commands[step];
  }
  void send(std::size_t session) { sessions_[session].wire().send_bytes(command(step_[session])); }

  // Takes what has come; header edits are followed by the verdict in the same or the next read.
  bool take(std::size_t session) {
    char verdict = 'i';
    while (verdict == 'i') verdict = sessions_[session].read_reply().command;
    step_[session] = (step_[session] + 1) % 3;
    return step_[session] == 0;
  }
  std::size_t answer(bool go_on) {
    poll(polled_.data(), polled_.size(), 1'000);
    std::size_t messages = 0;
    for (std::size_t i = 0; i < polled_.size(); ++i) {
      if ((polled_[i].revents & POLLIN) == 0) continue;
      if (take(i)) ++messages;
      if (go_on) send(i);
    }
    return messages;
  }
  std::size_t finish() {
    poll(polled_.data(), polled_.size(), 1'000);
    std::size_t answered = 0;
    for (std::size_t i = 0; i < polled_.size(); ++i) {
      if ((polled_[i].revents & POLLIN) == 0) continue;
      take(i);
      ++answered;
      step_[i] = 0;
      sessions_[i].abort();
    }
    return answered;
  }

  std::vector<MilterClient>& sessions_;
  std::vector<std::size_t> step_;
  std::vector<pollfd> polled_;
};

// Processor time of a process so far, all its threads, the ended ones too.
double cpu_seconds(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

// What was measured of one filter in one life.
struct Side {
  double messages = 0, seconds = 0, cpu = 0;

  void drive(Driver& driver, pid_t pid) {
    const double cpu_before = cpu_seconds(pid);
    const auto start = SteadyClock::now();
    const double rate = driver.messages_per_second(kRound);
    const double took = seconds_since(start);
    messages += rate * took;
    seconds += took;
    cpu += cpu_seconds(pid) - cpu_before;
  }
  double rate() const { return messages / seconds; }
  double cpu_micros() const { return cpu / messages * 1e6; }
};
struct Life {
  Side ours, theirs;
};

struct Setting {
  int connections;
  bool trace_header;
  int rules;

  std::string name() const {
    return "connections=" + std::to_string(connections) + " rules=" + std::to_string(rules) +
           " trace_header=" + (trace_header ? "yes" : "no");
  }
};

// One pair of fresh filters, driven in turns; who goes first changes from round to round.
Life compare_once(const test::TempDir& directory, const Setting& setting) {
  const std::string a = (directory / "a.sock").string(), b = (directory / "b.sock").string();
  const pid_t ipmit_pid = bench::start_ipmit_filter(
      {.socket = a, .trace_header = setting.trace_header, .rules = setting.rules, .held_ms = 0});
  const pid_t empty_pid = bench::start_empty_filter(
      {.socket = b, .trace_header = setting.trace_header, .rules = 0, .held_ms = 0});
  Life life;
  {
    auto ipmit_sessions = open_sessions(a, setting.connections),
         empty_sessions = open_sessions(b, setting.connections);
    Driver ipmit_driver(ipmit_sessions), empty_driver(empty_sessions);
    ipmit_driver.messages_per_second(kRound);
    empty_driver.messages_per_second(kRound);
    for (int round = 0; round < kRounds; ++round) {
      if (round % 2 == 0) life.ours.drive(ipmit_driver, ipmit_pid);
      life.theirs.drive(empty_driver, empty_pid);
      if (round % 2 != 0) life.ours.drive(ipmit_driver, ipmit_pid);
    }
  }
  bench::end_filter(ipmit_pid);
  bench::end_filter(empty_pid);
  std::filesystem::remove(b);  // libmilter does not replace it
  return life;
}

// Sum of one over sum of the other, and how far off it may be: 1.96 standard errors, from how the
// lives differ.
struct Ratio {
  double value, error;

  template <typename Of>
  Ratio(const std::vector<Life>& lives, Of of) {
    double ours = 0, theirs = 0;
    for (const Life& life : lives) {
      ours += of(life.ours);
      theirs += of(life.theirs);
    }
    value = ours / theirs;
    double squares = 0;
    for (const Life& life : lives) {
      const double off = of(life.ours) - value * of(life.theirs);
      squares += off * off;
    }
    const auto count = static_cast<double>(lives.size());
    error = 1.96 * std::sqrt(squares * count / (count - 1)) / theirs;
  }
};

// The rate of a libmilter filter has two levels, three apart, and changes between them by chance
// (docs/libmilter-limits.md), so a median of rounds says which level was the more frequent. Many
// short rounds and the sums of them say how much mail went through.
void compare(const test::TempDir& directory, const Setting& setting, std::string_view only) {
  if (setting.name().find(only) == std::string::npos) return;
  std::vector<Life> lives;
  Side ours, theirs;
  for (int i = 0; i < kLives; ++i) {
    const Life& life = lives.emplace_back(compare_once(directory, setting));
    for (const auto& [sum, part] : {std::pair{&ours, &life.ours}, {&theirs, &life.theirs}}) {
      sum->messages += part->messages;
      sum->seconds += part->seconds;
      sum->cpu += part->cpu;
    }
  }
  const Ratio rate(lives, [](const Side& side) { return side.rate(); });
  // The other way round, so that above 1 is good for both.
  const Ratio cpu(lives, [](const Side& side) { return side.messages / side.cpu; });
  std::printf(
      "throughput %s ipmit=%.0f/s empty=%.0f/s ratio=%.3f +-%.3f "
      "cpu_us_per_message ipmit=%.1f empty=%.1f ratio=%.3f +-%.3f\n",
      setting.name().c_str(), ours.rate(), theirs.rate(), rate.value, rate.error, ours.cpu_micros(),
      theirs.cpu_micros(), cpu.value, cpu.error);
}

long resident_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  }
  return 0;
}

void idle(const test::TempDir& directory, int connections, bool empty) {
  const std::string socket = (directory / "idle.sock").string();
  const bench::FilterOptions options{
      .socket = socket, .trace_header = false, .rules = 1'000, .held_ms = 0};
  const pid_t pid = empty ? bench::start_empty_filter(options) : bench::start_ipmit_filter(options);
  {
    auto sessions = open_sessions(socket, connections);
    std::vector<double> micros;
    for (std::size_t i = 0; i < 500; ++i) {
      MilterClient& session = sessions[i * 37 % sessions.size()];
      const auto start = SteadyClock::now();
      session.mail("<a@example.com>");
      micros.push_back(seconds_since(start) * 1e6);
      session.abort();
    }
    std::printf("idle filter=%s sessions=%d rss_kib=%ld mail_us=%.0f\n", empty ? "empty" : "ipmit",
                connections, resident_kib(pid), median(micros));
  }
  bench::end_filter(pid);
  std::filesystem::remove(socket);
}

// 24 sessions ask at the same moment; none, or one of libmilter's threads, is held.
void stall(const test::TempDir& directory, bool hold) {
  const std::string socket = (directory / "stall.sock").string();
  const pid_t pid = bench::start_ipmit_filter(
      {.socket = socket, .trace_header = false, .rules = 0, .held_ms = 500});
  std::vector<double> worst;
  for (int round = 0; round < 5; ++round) {
    auto sessions = open_sessions(socket, 25);
    if (hold) {
      sessions[24].macros('M', {{"{auth_authen}", "held"}});
      sessions[24].wire().send('M', "<a@example.com>\0"sv);
    }
    const auto start = SteadyClock::now();
    for (int i = 0; i < 24; ++i)
      sessions[static_cast<std::size_t>(i)].wire().send('M', "<a@example.com>\0"sv);
    for (int i = 0; i < 24; ++i) sessions[static_cast<std::size_t>(i)].read_reply();
    worst.push_back(seconds_since(start) * 1e3);
  }
  std::printf("stall held_threads=%d last_of_24_ms median=%.1f worst=%.1f\n", hold ? 1 : 0,
              median(worst), *std::max_element(worst.begin(), worst.end()));
  bench::end_filter(pid);
}

// How many half packets it takes until others wait, and for how long.
void half_packets(const test::TempDir& directory, int count) {
  const std::string socket = (directory / "half.sock").string();
  const pid_t pid = bench::start_ipmit_filter(
      {.socket = socket, .trace_header = false, .rules = 0, .held_ms = 0});
  open_sessions(socket, 1);  // wait until it serves
  const auto where = common::parse_listen_address("unix:" + socket).value();
  std::vector<MilterClient> halves;
  for (int i = 0; i < count; ++i) {
    halves.emplace_back(where);
    halves.back().wire().send_bytes("\0\0\0\x0dO\0"sv);
  }
  const auto start = SteadyClock::now();
  MilterClient session = test::open_session(where, "198.51.100.7");
  const bool served = session.mail("<a@example.com>").command == 'c';
  std::printf("half_packets=%d next_session_ms=%.0f served=%s\n", count, seconds_since(start) * 1e3,
              served ? "yes" : "no, within 10 s a step");
  bench::end_filter(pid);
}

}  // namespace

// bench_milter [throughput|idle|stall|half [PART OF A SETTING'S NAME]]
int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);  // a forked filter must not print it again
  const std::string only = argc > 1 ? argv[1] : "";
  const std::string_view setting = argc > 2 ? argv[2] : "";
  const test::TempDir directory("milter-bench");
  const auto wanted = [&](const char* name) { return only.empty() || only == name; };
  if (wanted("throughput")) {
    for (const bool trace_header : {false, true})
      for (const int connections : {10, 100})
        for (const int rules : {0, 10'000})
          compare(directory, {connections, trace_header, rules}, setting);
  }
  if (wanted("idle")) {
    idle(directory, 2'000, true);
    idle(directory, 2'000, false);
  }
  if (wanted("stall")) {
    stall(directory, false);
    stall(directory, true);
  }
  if (wanted("half")) {
    for (const int count : {1, 4, 16}) half_packets(directory, count);
  }
  return 0;
}
