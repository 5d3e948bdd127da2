// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ipmit::common {

// As hostname(1) prints it; "unknown" where the system does not say.
std::string host_name();

}  // namespace ipmit::common
