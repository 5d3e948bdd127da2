// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <stop_token>

namespace ipmit::common {

// Waits for `duration`, or until a stop is requested; then, or when it was before: false.
// Thread-safe.
bool wait_unless_stopped(std::chrono::nanoseconds duration, const std::stop_token& stop);

}  // namespace ipmit::common
