// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/error.h"
#include "conf/yaml_document.h"
#include "policy/mitigation.h"

namespace ipmit::cli {

// What files of mitigations hold; the members are those of schema/mitigation_json.h.
using Record = std::variant<policy::Mitigation, policy::Exemption>;

struct ReadRecords {
  std::vector<Record> records;
  std::vector<std::string> problems;  // "FILE:LINE: member: reason"; empty: all records are good
};

// A YAML file: one record a document, or lists of them. JSON is YAML. A record with "target" is an
// exemption, one with "targets" a mitigation. `fallback_reason` goes into records without a reason.
ReadRecords read_yaml_records(std::string_view text, const std::string& file,
                              const std::string& fallback_reason);
ReadRecords to_records(const std::vector<conf::YamlNode>& documents, const std::string& file,
                       const std::string& fallback_reason);

// JSON lines, as `ipmitctl export` writes them; blank lines are skipped.
ReadRecords read_json_lines(std::istream& in, const std::string& file);

// The whole of a file, "-" being `standard_input`. Problem: "FILE: reason".
common::Result<std::string> read_whole(const std::string& file, std::istream& standard_input);

}  // namespace ipmit::cli
