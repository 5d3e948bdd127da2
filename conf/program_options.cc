// SPDX-License-Identifier: Apache-2.0
#include "conf/program_options.h"

#include <filesystem>
#include <iostream>
#include <optional>

#include <getopt.h>

namespace ipmit::conf {
namespace {

constexpr int kBadUsage = 2;

enum Option : int { kConfig = 'c', kHelp = 'h', kVersion = 'V', kCheckConfig = 256 };

void print_help(const ProgramInfo& program) {
  std::cout << "usage: " << program.name << " [--config FILE] [--check-config]\n"
            << program.purpose << "\n\n"
            << "  -c, --config FILE   read FILE; default " << kDefaultSettingsPath
            << ", or built-in defaults without it\n"
            << "      --check-config  read the configuration, say what is wrong, and end\n"
            << "  -h, --help          this text\n"
            << "  -V, --version       version, and end\n";
}

void print_version(const ProgramInfo& program) {
  std::cout << program.name << " " << IPMIT_VERSION << "\n";
  if (!program.versions.empty()) std::cout << program.versions << "\n";
}

}  // namespace

std::variant<Settings, int> read_command_line(int argc, char** argv, const ProgramInfo& program) {
  static const option kOptions[] = {{"config", required_argument, nullptr, kConfig},
                                    {"check-config", no_argument, nullptr, kCheckConfig},
                                    {"help", no_argument, nullptr, kHelp},
                                    {"version", no_argument, nullptr, kVersion},
                                    {nullptr, 0, nullptr, 0}};
  std::optional<std::filesystem::path> file;
  bool only_check = false;
  optind = 1;
  for (int found = 0; (found = getopt_long(argc, argv, "c:hV", kOptions, nullptr)) != -1;) {
    switch (found) {
      case kConfig:
        file = optarg;
        break;
      case kCheckConfig:
        only_check = true;
        break;
      case kHelp:
        print_help(program);
        return 0;
      case kVersion:
        print_version(program);
        return 0;
      default:  // getopt_long has said what
        std::cerr << program.name << ": try --help\n";
        return kBadUsage;
    }
  }
  if (optind < argc) {
    std::cerr << program.name << ": '" << argv[optind] << "' is not an option; try --help\n";
    return kBadUsage;
  }
  auto settings = load_settings(file);
  if (!settings) {
    std::cerr << settings.problem() << "\n";
    return kBadUsage;
  }
  const std::string place = settings->file.empty() ? "built-in defaults" : settings->file;
  const std::string problem = program.check ? program.check(*settings) : "";
  if (!problem.empty()) {
    std::cerr << place << ": " << problem << "\n";
    return kBadUsage;
  }
  if (!only_check) return std::move(settings).value();
  std::cout << place << ": ok\n";
  return 0;
}

}  // namespace ipmit::conf
