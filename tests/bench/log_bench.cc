// SPDX-License-Identifier: Apache-2.0
// How fast mail logs are read: parsed only, parsed and joined, and the latter against pflogsumm in
// the same run, turn by turn; then whether memory stays flat over many lines. CPU time of one
// thread, so that a busy machine does not matter. The log is made by ../shared/acceptance/genlog.py
// where that and python3 are there, else by the generator below. usage: bench_log
// [LINES_FOR_MEMORY]   (default 5000000; 100000000 takes two minutes)
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "events/log_pipeline.h"
#include "tests/bench/bench_report.h"
#include "tests/support/shared_corpus.h"

namespace ipmit::events {
namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 3;
constexpr long kGeneratedLines = 200'000;

using bench::children_cpu_s;
using bench::missed;
using bench::own_cpu_s;
using bench::report;

double resident_mib() {
  long total = 0;
  long resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1048576.0;
}

// The life of message number `n`: five lines, or four where it is never removed.
void append_message(std::string& out, std::uint64_t n, bool is_removed) {
  char id[24];
  std::snprintf(id, sizeof id, "%010llX",
                static_cast<unsigned long long>(n * 2654435761U % 0xffffffffffU));
  char line[512];
  const auto add = [&](const char* daemon, const char* form) {
    const auto second = static_cast<unsigned>(n / 100 % 86400);
    std::snprintf(line, sizeof line, "Nov 24 %02u:%02u:%02u mx1 postfix/%s[7]: %s: ", second / 3600,
                  second / 60 % 60, second % 60, daemon, id);
    out += line;
    const auto number = static_cast<unsigned>(n % 100'000);
    // NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): the forms are the literals below
    std::snprintf(line, sizeof line, form, number, number % 250);
    out += line;
    out += '\n';
  };
  add("smtpd", "client=c%u.example.net[198.51.100.%u], sasl_method=PLAIN, sasl_username=alice");
  add("cleanup", "message-id=<%u.%u@a.example>");
  add("qmgr", "from=<bounce+%u@a.example>, size=%u, nrcpt=1 (queue active)");
  add("smtp",
      "to=<user%u@b.example>, relay=mx.b.example[192.0.2.%u]:25, delay=1.2, "
      "delays=0.1/0.01/0.3/0.8, dsn=4.2.1, status=deferred (host mx.b.example[192.0.2.9] said: 450 "
      "4.2.1 The user is receiving mail too quickly (in reply to RCPT TO command))");
  if (is_removed) add("qmgr", "removed");
}

bool run_command(const std::string& command) {
  return std::system(command.c_str()) == 0;  // NOLINT(cert-env33-c): our own words only
}

void make_log(const fs::path& file) {
  const auto generator = support::shared_folder("acceptance/genlog.py");
  if (generator && run_command("python3 '" + generator->string() + "' " +
                               std::to_string(kGeneratedLines) + " 7 > '" + file.string() + "'")) {
    std::printf("log: %ld lines of genlog.py\n", kGeneratedLines);
    return;
  }
  std::string text;
  for (std::uint64_t n = 0; n < kGeneratedLines / 5; ++n) append_message(text, n, true);
  std::ofstream(file, std::ios::trunc) << text;
  std::printf("log: %ld lines of the bench's own making\n", kGeneratedLines);
}

std::uint64_t each_line(const fs::path& file, const std::function<void(const LogLine&)>& use) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  LineCutter cutter([fd](char* buffer, std::size_t size) {
    const ssize_t got = ::read(fd, buffer, size);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  });
  std::uint64_t lines = 0;
  for (; const auto line = cutter.next(); ++lines) use(*line);
  ::close(fd);
  return lines;
}

struct Rates {
  double parsed = 0, joined = 0, pflogsumm = 0;  // lines a CPU second, the best of the rounds
};

void keep_best(double& best, std::uint64_t lines, double seconds) {
  best = std::max(best, static_cast<double>(lines) / seconds);
}

Rates measure(const fs::path& file) {
  Rates rates;
  std::uint64_t deliveries = 0;
  for (int round = 0; round < kRounds; ++round) {
    double start = own_cpu_s();
    std::uint64_t lines = each_line(file, [&](const LogLine& line) {
      deliveries += parse_log_line(line.text).kind == LogKind::kDelivery ? 1 : 0;
    });
    keep_best(rates.parsed, lines, own_cpu_s() - start);

    std::uint64_t events = 0;
    start = own_cpu_s();
    LogPipeline pipeline({{}, std::chrono::minutes(0), {}},
                         [&](const DeliveryEvent& event) { events += event.joined ? 1 : 0; });
    lines = each_line(file, [&](const LogLine& line) { pipeline.add(line); });
    keep_best(rates.joined, lines, own_cpu_s() - start);
    if (events == 0 || deliveries == 0) ++missed;  // a reader that finds nothing is fast, too

    start = children_cpu_s();
    if (run_command("pflogsumm '" + file.string() + "' > /dev/null 2>&1")) {
      keep_best(rates.pflogsumm, lines, children_cpu_s() - start);
    }
  }
  return rates;
}

// Feeds messages of which every tenth is never removed, through a table that is soon full.
void measure_memory(std::uint64_t lines) {
  LogPipeline pipeline({{}, std::chrono::minutes(0), {20'000, 64UL << 20}},
                       [](const DeliveryEvent&) {});
  const double start = own_cpu_s();
  double early = 0;
  std::string text;
  for (std::uint64_t n = 0; pipeline.lines() < lines; ++n) {
    text.clear();
    append_message(text, n, n % 10 != 0);
    for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      pipeline.add({std::string_view(text).substr(begin, end - begin), false});
    }
    if (early == 0 && pipeline.lines() > lines / 5) early = resident_mib();
  }
  const double late = resident_mib();
  std::printf(
      "memory: %.1f MiB after a fifth of %llu lines, %.1f MiB after all; %llu messages "
      "forgotten (%.0f s)\n",
      early, static_cast<unsigned long long>(lines), late,
      static_cast<unsigned long long>(pipeline.tracker().counters().forgotten),
      own_cpu_s() - start);
  if (pipeline.tracker().counters().forgotten == 0) ++missed;
  report("memory early / late", early / late, "", 0.98);
}

int run(std::uint64_t memory_lines) {
  std::string name = (fs::temp_directory_path() / "ipmit-log.XXXXXX").string();
  const fs::path folder = ::mkdtemp(name.data());
  make_log(folder / "mail.log");
  const Rates rates = measure(folder / "mail.log");
  fs::remove_all(folder);
  std::printf("%-52s %10.2f M lines/s\n", "parsed only", rates.parsed / 1e6);
  report("parsed and joined, one core", rates.joined / 1e6, "M lines/s", 1.0);
  if (rates.pflogsumm > 0) {
    std::printf("%-52s %10.3f M lines/s\n", "pflogsumm", rates.pflogsumm / 1e6);
    report("parsed and joined / pflogsumm", rates.joined / rates.pflogsumm, "times", 8.0);
  } else {
    std::printf("pflogsumm: SKIPPED, not installed\n");
  }
  measure_memory(memory_lines);
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ipmit::events

int main(int argc, char** argv) {
  const std::uint64_t lines = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 5'000'000;
  return ipmit::events::run(lines);
}
