// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/clock.h"
#include "common/error.h"

namespace ipmit::events {

// A JSON value together with its place ("bounce.bouncedRecipients[0].emailAddress"), for reading
// what others wrote: anything may be absent or of another type, and then it is empty. Only need…()
// complains; the first complaint of a record is kept in `problem`, as "PLACE: reason". For the
// readers in this folder. The value and `problem` must outlive the view.
class JsonView {
 public:
  using Json = nlohmann::json;

  JsonView(const Json& value, std::optional<std::string>& problem)
      : value_(&value), problem_(&problem) {}

  JsonView operator[](std::string_view key) const;
  std::vector<JsonView> items() const;  // of a list; at most kMaxRecipients

  bool exists() const { return value_ != nullptr; }
  bool is_object() const { return value_ != nullptr && value_->is_object(); }
  bool is_list() const { return value_ != nullptr && value_->is_array(); }
  bool is_text() const { return value_ != nullptr && value_->is_string(); }
  bool has(std::string_view key) const { return (*this)[key].value_ != nullptr; }
  const Json& json() const { return *value_; }  // only where is_object() or is_list()
  // JSON that was a text at `key`; it must outlive the view.
  JsonView inside(std::string_view key, const Json& value) const;

  std::string text() const;       // a text as it is, a whole number in digits, else empty
  std::uint64_t natural() const;  // 0 if it is none
  double real() const;            // of a number, else not a number
  bool flag() const { return value_ != nullptr && value_->is_boolean() && value_->get<bool>(); }
  // RFC 3339, or seconds since 1970 as number or digits, with or without fraction.
  std::optional<common::TimePoint> time() const;

  std::string need_text() const;  // not empty
  common::TimePoint need_time() const;
  void complain(std::string_view reason) const;

 private:
  const Json* value_;  // nullptr: absent
  std::optional<std::string>* problem_;
  std::string place_;
};

// Problem: "not JSON: reason".
common::Result<nlohmann::json> parse_json(std::string_view text);

}  // namespace ipmit::events
