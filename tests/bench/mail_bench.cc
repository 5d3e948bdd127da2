// SPDX-License-Identifier: Apache-2.0
// How fast bounces, complaints and ordinary mails are read, in CPU time of one thread, so that a
// busy machine does not matter; and against Sisimai (Debian: libsisimai-perl) on the same mails in
// the same run, where it is installed. The mails are those of ../shared/corpus/bounces where it is
// there, else those of tests/corpus/mail.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "conf/bounce_rules.h"
#include "events/mail_report.h"
#include "tests/bench/bench_report.h"
#include "tests/support/shared_corpus.h"

namespace ipmit::events {
namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 5;
constexpr int kMailsARound = 10'000;
constexpr int kSisimaiPasses = 4;

using bench::children_cpu_s;
using bench::missed;
using bench::own_cpu_s;
using bench::report;

std::vector<std::string> read_mails(const fs::path& folder) {
  std::vector<std::string> mails;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".eml") continue;
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    mails.push_back(text.str());
  }
  return mails;
}

double mails_a_second(const std::vector<std::string>& mails, const BounceRules& rules) {
  const double start = own_cpu_s();
  std::size_t results = 0;
  for (int i = 0; i < kMailsARound; ++i)
    results += parse_mail(mails[static_cast<std::size_t>(i) % mails.size()], rules).results.size();
  if (results == 0) std::abort();
  return kMailsARound / (own_cpu_s() - start);
}

// CPU seconds of `passes` readings of the folder; what Perl and its modules need to start cancels
// out.
double sisimai_s(const fs::path& folder, int passes) {
  const std::string command = "perl -MSisimai -e 'for (1.." + std::to_string(passes) +
                              ") { Sisimai->make(\"" + folder.string() +
                              "\", delivered => 1) }' >/dev/null 2>&1";
  const double start = children_cpu_s();
  if (std::system(command.c_str()) != 0) return -1;  // NOLINT(cert-env33-c): a fixed command
  return children_cpu_s() - start;
}

int run() {
  auto folder = support::shared_folder("corpus/bounces");
  const fs::path mails_folder =
      folder ? *folder / "eml" : fs::path(IPMIT_SOURCE_DIR) / "tests/corpus/mail";
  const auto mails = read_mails(mails_folder);
  const auto rules =
      BounceRules::compile(*conf::parse_bounce_rules(conf::default_bounce_rules(), "built-in"));
  const bool have_sisimai =
      std::system("perl -MSisimai -e 1 >/dev/null 2>&1") == 0;  // NOLINT(cert-env33-c)
  // Turn by turn, and of the ratios the one in the middle: the machine is not ours alone.
  double best = 0;
  std::vector<double> ratios;
  for (int round = 0; round < kRounds; ++round) {
    const double ours = mails_a_second(mails, *rules);
    best = std::max(best, ours);
    if (!have_sisimai) continue;
    const double start_s = sisimai_s(mails_folder, 0);
    const double passes_s = sisimai_s(mails_folder, kSisimaiPasses) - start_s;
    const double again = mails_a_second(mails, *rules);
    ratios.push_back((ours + again) / 2 * passes_s /
                     (static_cast<double>(mails.size()) * kSisimaiPasses));
  }
  report("mails a second", best, "mails/s", 10'000);
  if (have_sisimai) {
    std::sort(ratios.begin(), ratios.end());
    report("times Sisimai on the same mails", ratios[ratios.size() / 2], "times", 15);
  } else {
    std::printf("SKIPPED: ratio to Sisimai (libsisimai-perl is not installed)\n");
  }
  return missed;
}

}  // namespace
}  // namespace ipmit::events

int main() {
  return ipmit::events::run() == 0 ? 0 : 1;
}
