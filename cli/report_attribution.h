// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "cli/context.h"
#include "common/error.h"
#include "common/json_text.h"
#include "common/secret_box.h"
#include "events/attribution.h"

namespace ipmit::cli {

// Ties the reports that a verb reads to mail that was sent, by trace tokens and by a mail log, so
// that a person sees which of them would count as evidence.
class ReportAttribution {
 public:
  struct Options {
    std::string trace_keys;  // file of the key ring; empty: no attribution is asked for
    std::string log;         // a mail log; may be empty
    std::string at;          // the time to judge lifetimes by; empty: now
  };

  // nullptr: not asked for. Reads the log. Problem: "--log: reason". PermanentError: unusable keys.
  static common::Result<std::unique_ptr<ReportAttribution>> open(const Options& options,
                                                                 const Context& context);

  // The members "attribution", "counts", and what is known of the sender.
  void add_members(common::JsonObjectText& object, const events::MailResult& result);

 private:
  ReportAttribution(const common::KeyRing& keys, TimePoint at)
      : box_(keys), attributor_(box_), at_(at) {}

  std::optional<common::Problem> read_log(const std::string& file, const Context& context);

  common::SecretBox box_;
  events::Attributor attributor_;
  TimePoint at_;
};

}  // namespace ipmit::cli
