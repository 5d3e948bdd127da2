// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace ipmit::events {

// The last answer of a recipient that is still deferred. When a message expires Postfix names no
// recipient, so this is what the event of each is made of.
struct DeferredRecipient {
  std::string_view recipient, enhanced_code, text;
  std::uint16_t reply_code = 0;
};

// A list of them packed in one string: most messages have none or one. At most kMaxRecipients,
// texts cut at kMaxText; what does not fit is not kept (false).
namespace deferred_list {

inline constexpr std::size_t kMaxRecipients = 64;
inline constexpr std::size_t kMaxText = 512;

bool put(std::string& list, const DeferredRecipient& entry);  // replaces one for the same recipient
void remove(std::string& list, std::string_view recipient);
void each(std::string_view list, const std::function<void(const DeferredRecipient&)>& visit);
// Whether `list` is one that put() and remove() could have left.
bool is_valid(std::string_view list);

}  // namespace deferred_list
}  // namespace ipmit::events
