// SPDX-License-Identifier: Apache-2.0
#include "cli/report_attribution.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <sys/stat.h>

#include "events/log_lines.h"
#include "events/log_pipeline.h"

namespace ipmit::cli {

using common::Problem;

common::Result<std::unique_ptr<ReportAttribution>> ReportAttribution::open(const Options& options,
                                                                           const Context& context) {
  if (options.trace_keys.empty()) {
    if (options.log.empty() && options.at.empty()) return std::unique_ptr<ReportAttribution>();
    return Problem{"--log and --at need --trace-keys, the key file of the milter"};
  }
  TimePoint at = context.now();
  if (!options.at.empty()) {
    const auto time = common::parse_rfc3339(options.at);
    if (!time)
      return Problem{"--at: wants a time such as 2026-11-25T18:00Z, has \"" + options.at + "\""};
    at = *time;
  }
  std::unique_ptr<ReportAttribution> out(
      new ReportAttribution(common::KeyRing::load(options.trace_keys), at));
  if (!options.log.empty())
    if (auto problem = out->read_log(options.log, context)) return *problem;
  return out;
}

std::optional<Problem> ReportAttribution::read_log(const std::string& file,
                                                   const Context& context) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (in) in.peek();  // a directory opens, but does not read
  if (!in && !in.eof())
    return Problem{"--log: " + file + ": " + (errno != 0 ? std::strerror(errno) : "no file")};
  in.clear();
  events::LogPipeline::Options options;
  struct stat about {};
  options.reference = ::stat(file.c_str(), &about) == 0
                          ? TimePoint(std::chrono::seconds(about.st_mtime))
                          : context.now();
  events::LogPipeline pipeline(options, [&](const events::DeliveryEvent& event) {
    if (auto delivery = events::to_logged_delivery(event)) attributor_.add(*std::move(delivery));
  });
  events::LineCutter cutter([&](char* buffer, std::size_t size) {
    in.read(buffer, static_cast<std::streamsize>(size));
    return static_cast<std::size_t>(in.gcount());
  });
  while (const auto line = cutter.next()) pipeline.add(*line);
  if (const auto line = cutter.rest()) pipeline.add(*line);
  pipeline.finish();
  if (attributor_.forgotten() > 0)
    context.warn("--log: " + std::to_string(attributor_.forgotten()) +
                 " of the oldest deliveries were forgotten: more are in the log than are kept");
  return std::nullopt;
}

void ReportAttribution::add_members(common::JsonObjectText& object,
                                    const events::MailResult& result) {
  const events::AttributedResult tied = attributor_.attribute(result, at_);
  object.always_text("attribution", to_string(tied.how));
  object.boolean("counts", tied.counts());
  if (tied.sender.client) object.text("client_address", tied.sender.client->to_string());
  object.text("sasl_user", tied.sender.sasl_user);
  object.text("sender_domain", tied.sender.sender_domain);
}

}  // namespace ipmit::cli
