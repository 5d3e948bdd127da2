// SPDX-License-Identifier: Apache-2.0
// A hash in Redis, where anybody with its password writes: a line the name, then "field=value"
// lines (a value's own line ends are "\r"). Beyond not crashing: what is read is valid, and writes
// itself so that it reads the same.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "schema/redis_record.h"
#include "tests/fuzz/require.h"

using namespace ipmit;

namespace {

schema::FieldViews views_of(const schema::Fields& fields) {
  schema::FieldViews views;
  for (const auto& [name, value] : fields) views.emplace_back(name, value);
  return views;
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  std::string_view rest = text;
  const std::string_view name = take_line(rest);
  schema::FieldViews fields;
  std::replace(text.begin() + static_cast<std::ptrdiff_t>(std::min(name.size() + 1, text.size())),
               text.end(), '\r', '\1');
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    const std::size_t equals = std::min(line.find('='), line.size());
    fields.emplace_back(line.substr(0, equals), line.substr(std::min(equals + 1, line.size())));
  }
  std::replace(text.begin(), text.end(), '\1', '\n');  // the views see it

  if (const auto rule = schema::mitigation_from_fields(name, fields)) {
    require(!policy::validate(*rule));
    const schema::Fields written = schema::to_fields(*rule);
    const auto again = schema::mitigation_from_fields(name, views_of(written));
    require(again && *again == *rule);
  }
  if (const auto exemption = schema::exemption_from_fields(name, fields)) {
    const schema::Fields written = schema::to_fields(*exemption);
    const auto again = schema::exemption_from_fields(name, views_of(written));
    require(again && *again == *exemption);
  }
  return 0;
}
