// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ipmit::cli {

// One line of `ipmitctl doctor`. kWarn: works, with a risk that the text names. kFail: mail is not
// decided, or will not be.
struct Finding {
  enum class Level { kOk, kWarn, kFail };
  Level level = Level::kOk;
  std::string check;  // what was looked at: "smtpd_milters"
  std::string text;
  std::vector<std::string> remedy;  // lines to type, or to add: "main.cf: smtpd_milters = …"
};

class Findings {
 public:
  void ok(std::string check, std::string text) {
    all_.push_back({Finding::Level::kOk, std::move(check), std::move(text), {}});
  }
  void warn(std::string check, std::string text, std::vector<std::string> remedy = {}) {
    all_.push_back({Finding::Level::kWarn, std::move(check), std::move(text), std::move(remedy)});
  }
  void fail(std::string check, std::string text, std::vector<std::string> remedy = {}) {
    all_.push_back({Finding::Level::kFail, std::move(check), std::move(text), std::move(remedy)});
  }
  const std::vector<Finding>& all() const { return all_; }

 private:
  std::vector<Finding> all_;
};

}  // namespace ipmit::cli
