// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/clock.h"
#include "common/error.h"

namespace ipmit::schema {

// Parses one JSON object; Problem for anything else, with the place in the text, and for a member
// that comes twice: which of the two was meant is not ours to guess. Safe on any bytes.
common::Result<nlohmann::json> parse_json_object(std::string_view text);

// Reads an object member by member and remembers the first thing wrong, as "path.member: reason";
// everything asked after that is the default, so that a reader is a straight list of members. Call
// finish() last: it refuses members that nobody asked for. Belongs to one function's stack.
class JsonMembers {
 public:
  using Problem = std::optional<common::Problem>;

  // `object` and `problem` must outlive this. A nested object shares the problem of its parent.
  JsonMembers(const nlohmann::json& object, Problem& problem, std::string path = {})
      : object_(object), problem_(problem), path_(std::move(path)) {}

  std::string text(const char* member);
  // Null counts as absent, as in the resources of Kubernetes.
  bool has(const char* member);
  std::int64_t integer(const char* member, std::int64_t least, std::int64_t most,
                       std::int64_t otherwise);
  std::uint64_t natural(const char* member);
  std::optional<common::TimePoint> time(const char* member);
  std::optional<common::Duration> duration(const char* member);

  // A member with a parser that gives std::optional, and the words that are allowed.
  template <typename Enum, typename Parse>
  Enum choice(const char* member, Parse parse, Enum otherwise, std::string_view allowed) {
    if (!has(member)) return otherwise;
    const std::string value = text(member);
    if (const auto parsed = parse(value)) return *parsed;
    complain(member, "must be one of " + std::string(allowed));
    return otherwise;
  }

  // A list of texts, each through a parser that gives common::Result.
  template <typename Value, typename Parse>
  std::vector<Value> list(const char* member, Parse parse) {
    std::vector<Value> values;
    for (const std::string& entry : texts(member)) {
      auto parsed = parse(entry);
      if (!parsed) {
        complain(member, "\"" + entry + "\": " + parsed.problem());
        return {};
      }
      values.push_back(std::move(parsed).value());
    }
    return values;
  }

  // A nested object; empty if absent.
  JsonMembers object(const char* member);

  void complain(std::string_view member, std::string reason);
  bool ok() const { return !problem_; }
  void finish();

 private:
  const nlohmann::json* find(const char* member);
  std::vector<std::string> texts(const char* member);

  const nlohmann::json& object_;
  Problem& problem_;
  std::string path_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace ipmit::schema
