// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <iostream>
#include <memory>

#include <sys/stat.h>
#include <unistd.h>

#include "cli/input_file.h"
#include "cli/verbs.h"
#include "events/log_pipeline.h"

namespace ipmit::cli {
namespace {

struct Options {
  bool lines = false;
  std::string zone;
  std::int64_t year = 0;
};

constexpr std::size_t kFlushBytes = 256 * 1024;

// When the log was last written: a file says it, a pipe is live.
TimePoint input_time(const Context& context) {
  struct stat about {};
  if (&context.in != &std::cin || ::fstat(STDIN_FILENO, &about) != 0 || !S_ISREG(about.st_mode))
    return context.now();
  return TimePoint(std::chrono::seconds(about.st_mtime));
}

std::optional<std::chrono::minutes> parse_zone(const std::string& text) {
  int hour = 0;
  int minute = 0;
  if (text == "Z") return std::chrono::minutes(0);
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const char* digits = text.data();
  if (std::from_chars(digits + 1, digits + 3, hour).ptr != digits + 3) return std::nullopt;
  if (std::from_chars(digits + 4, digits + 6, minute).ptr != digits + 6) return std::nullopt;
  if (hour > 14 || minute > 59) return std::nullopt;
  const std::chrono::minutes offset(hour * 60 + minute);
  return text[0] == '-' ? -offset : offset;
}

class Printer {
 public:
  explicit Printer(std::ostream& out) : out_(out) {}
  ~Printer() { flush(); }
  Printer(const Printer&) = delete;
  Printer& operator=(const Printer&) = delete;

  template <typename Value>
  void print(const Value& value) {
    events::append_json(text_, value);
    text_ += '\n';
    if (text_.size() >= kFlushBytes) flush();
  }
  void flush() {
    out_.write(text_.data(), static_cast<std::streamsize>(text_.size()));
    text_.clear();
  }

 private:
  std::ostream& out_;
  std::string text_;
};

// Calls `use` for each line; `idle` before each wait for more input.
template <typename Use, typename Idle>
std::uint64_t each_line(Context& context, const Use& use, const Idle& idle) {
  events::LineCutter cutter([&](char* buffer, std::size_t size) {
    idle();
    return read_input(context.in, buffer, size);
  });
  while (const auto line = cutter.next()) {
    use(*line);
    if (!context.out) return cutter.cut_lines();  // nobody reads on: head(1) has seen enough
  }
  if (const auto line = cutter.rest()) use(*line);
  return cutter.cut_lines();
}

void warn_count(const Context& context, std::uint64_t count, std::string_view what) {
  if (count > 0) context.warn(std::to_string(count) + " " + std::string(what));
}

ExitCode print_records(Context& context) {
  Printer printer(context.out);
  events::LogFraming framing([&](const events::LogRecord& record) { printer.print(record); });
  const auto cut = each_line(
      context, [&](const events::LogLine& line) { framing.add(line); }, [&] { printer.flush(); });
  framing.finish();
  warn_count(context, cut + framing.counters().cut, "lines were longer than 64 KiB and cut");
  warn_count(context, framing.counters().malformed, "container or journal entries were malformed");
  return kOk;
}

ExitCode print_events(Context& context, const events::LogPipeline::Options& options) {
  Printer printer(context.out);
  events::LogPipeline pipeline(options,
                               [&](const events::DeliveryEvent& event) { printer.print(event); });
  const auto cut = each_line(
      context, [&](const events::LogLine& line) { pipeline.add(line); }, [&] { printer.flush(); });
  pipeline.finish();
  const auto counters = pipeline.tracker().counters();
  warn_count(context, cut + pipeline.framing_counters().cut,
             "lines were longer than 64 KiB and cut");
  warn_count(context, pipeline.framing_counters().malformed,
             "container or journal entries were malformed");
  warn_count(context, pipeline.untimed(), "Postfix lines had no readable time and were left out");
  warn_count(context, counters.forgotten, "messages were forgotten: more were open than are kept");
  warn_count(context, counters.expired_unknown, "expired messages had no known recipient");
  return kOk;
}

ExitCode run_parse_log(Context& context, const Options& options) {
  if (options.lines) return print_records(context);
  events::LogPipeline::Options pipeline;
  if (!options.zone.empty()) {
    pipeline.zone = parse_zone(options.zone);
    if (!pipeline.zone)
      return context.bad_input("--zone: '" + options.zone + "' is not Z, +HH:MM or -HH:MM");
  }
  pipeline.reference = input_time(context);
  if (options.year != 0) {
    const std::chrono::year year(static_cast<int>(options.year));
    pipeline.reference = std::chrono::sys_days(year / 12 / 30);
  }
  return print_events(context, pipeline);
}

}  // namespace

Run declare_parse_log(VerbParser& parser) {
  auto options = std::make_shared<Options>();
  parser.flag("--lines", options->lines, "one record for each line instead of delivery events");
  parser.option("--zone", options->zone,
                "zone of time stamps without one, such as +01:00; default: of this host");
  parser.number("--year", options->year, 0, 9999,
                "year of the first line, if it has none; 0: from the age of the file");
  parser.examples(
      "ipmitctl parse log < /var/log/mail.log\n"
      "journalctl -o export -t postfix/smtp | ipmitctl parse log --lines");
  return [options](Context& context) { return run_parse_log(context, *options); };
}

}  // namespace ipmit::cli
