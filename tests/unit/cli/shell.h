// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/verbs.h"

namespace ipmit::cli {

// ipmitctl as typed, on a store in a directory of its own, at a time that stands still.
class Shell {
 public:
  struct Result {
    int code = -1;
    std::string out, err;
  };

  Shell() {
    char name[] = "/tmp/ipmit-cli-XXXXXX";
    directory_ = mkdtemp(name);
    write("ipmit.yaml", "store: sqlite:" + (directory_ / "ipmit.db").string() +
                            "\nmilter:\n  reroute_transports: [slow]\n");
  }
  ~Shell() { std::filesystem::remove_all(directory_); }
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  Result run(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), {"--config", path("ipmit.yaml")});
    return run_plain(words, input);
  }
  Result run_plain(const std::vector<std::string>& words, const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out, err;
    Context context(in, out, err);
    context.who = "alice";
    context.now = [this] { return now; };
    Result result;
    result.code = run_command_line(words, all_verbs(), context);
    result.out = out.str();
    result.err = err.str();
    return result;
  }

  void write(const std::string& file, const std::string& text) {
    std::ofstream(directory_ / file) << text;
  }
  std::string path(const std::string& file) const { return (directory_ / file).string(); }
  std::unique_ptr<schema::Store> store() {
    return schema::open_store("sqlite:" + path("ipmit.db"), true);
  }

  TimePoint now = *common::parse_rfc3339("2026-11-25T12:00:00Z");

 private:
  std::filesystem::path directory_;
};

}  // namespace ipmit::cli
