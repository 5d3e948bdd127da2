// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"

namespace ipmit::cli {

// One line of master.cf.
struct PostfixService {
  std::string name;  // "smtp", "127.0.0.1:10026"
  std::string type;  // "inet", "unix", "pass", …
  bool chroot = false;
  std::string command;                           // "smtpd"
  std::map<std::string, std::string> overrides;  // its -o options

  std::string title() const { return name + "/" + type; }
};

// What the doctor wants to know of a Postfix; plain values, so that tests can make them up.
struct PostfixConfig {
  std::string directory;                      // of main.cf
  std::map<std::string, std::string> values;  // parameters, with $names expanded
  std::vector<PostfixService> services;
  // The answer of a lookup table ("regexp:/etc/…") for a header line; unset: no match. Problem: the
  // table cannot be read.
  std::function<common::Result<std::optional<std::string>>(const std::string& table,
                                                           const std::string& key)>
      look_up;

  std::string value(std::string_view name) const;
  // As one service sees it.
  std::string value(const PostfixService& service, std::string_view name) const;
};

// Asks postconf(1), which knows defaults and expands $names. Empty directory: the system's own
// Postfix. Problem: postconf is missing or refuses the configuration.
common::Result<PostfixConfig> read_postfix_config(const std::string& directory);

// One element of smtpd_milters: "unix:ipmit/milter.sock", or in braces with options of its own.
struct MilterSpec {
  std::string text;      // as written
  std::string endpoint;  // "unix:ipmit/milter.sock"
  std::map<std::string, std::string> options;
};
std::vector<MilterSpec> parse_milters(std::string_view value);

// Tables of header_checks and the like: separated by commas and blanks.
std::vector<std::string> parse_tables(std::string_view value);

// Output of `postconf -M` and `postconf -P`.
std::vector<PostfixService> parse_services(std::string_view master, std::string_view overrides,
                                           bool chroot_by_default);

}  // namespace ipmit::cli
