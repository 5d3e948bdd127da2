// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/error.h"
#include "conf/yaml_document.h"
#include "policy/ip_address.h"

namespace ipmit::conf {

// How one setting is read from YAML and shown. Made by the functions below around a variable, which
// must outlive it; read() leaves the variable alone when it has a Problem.
struct SettingValue {
  std::string type;   // for people: "duration", "one of accept, tempfail"
  std::string range;  // "1ms to 1m"; empty: none beyond the type
  std::function<std::optional<common::Problem>(const YamlNode&)> read;
  std::function<std::string()> to_yaml;  // the variable's value, on one line
};

// A further rule for a text; unset: it may stand.
using TextCheck = std::function<std::optional<common::Problem>(std::string_view)>;

SettingValue text_value(std::string& value, std::string type, TextCheck check);
SettingValue boolean_value(bool& value);
SettingValue integer_value(std::uint32_t& value, std::uint32_t least, std::uint32_t most);
// Four octal digits: "0660".
SettingValue file_mode_value(std::uint32_t& value);
// Only with a unit: "20ms", "1h30m".
SettingValue duration_value(common::Duration& value, common::Duration least, common::Duration most);
SettingValue port_list_value(std::vector<std::uint16_t>& value);
SettingValue network_list_value(std::vector<policy::IpPrefix>& value);
SettingValue text_list_value(std::vector<std::string>& value, std::string type, TextCheck check);

// An enum by its names; `names` in the order in which people should read them.
template <typename E>
SettingValue choice_value(E& value, std::initializer_list<std::pair<std::string_view, E>> names);

// Text checks for the above. Each also lets an empty text pass where `may_be_empty`.
TextCheck absolute_path(bool may_be_empty);
TextCheck listen_endpoint();  // "HOST:PORT" with a numeric host, or empty
TextCheck milter_socket();    // "unix:/path", "inet:HOST:PORT", "inet6:[HOST]:PORT"
TextCheck url_of(std::vector<std::string> beginnings, bool may_be_empty);
TextCheck group_name();      // or empty
TextCheck transport_name();  // of master.cf

// A text as YAML: quoted where plain would be read as something else.
std::string to_yaml_text(std::string_view text);

namespace setting_value_detail {
SettingValue named_choice(std::vector<std::string> names, std::function<void(std::size_t)> set,
                          std::function<std::size_t()> get);
}  // namespace setting_value_detail

template <typename E>
SettingValue choice_value(E& value, std::initializer_list<std::pair<std::string_view, E>> names) {
  std::vector<std::string> texts;
  std::vector<E> values;
  for (const auto& [text, each] : names) {
    texts.emplace_back(text);
    values.push_back(each);
  }
  return setting_value_detail::named_choice(
      std::move(texts), [&value, values](std::size_t index) { value = values[index]; },
      [&value, values] {
        std::size_t index = 0;
        while (values[index] != value) ++index;
        return index;
      });
}

}  // namespace ipmit::conf
