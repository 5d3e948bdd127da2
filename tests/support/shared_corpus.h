// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace ipmit::support {

// The folder of corpora beside the checkout: $IPMIT_SHARED, ../shared or ../../shared. A test that
// needs it skips itself when it is not there.
inline std::optional<std::filesystem::path> shared_folder(const std::string& below) {
  const std::filesystem::path source = IPMIT_SOURCE_DIR;
  const char* given = std::getenv("IPMIT_SHARED");
  for (const auto& folder : {std::filesystem::path(given == nullptr ? "" : given),
                             source / "../shared", source / "../../shared"}) {
    if (!folder.empty() && std::filesystem::exists(folder / below)) return folder / below;
  }
  return std::nullopt;
}

}  // namespace ipmit::support
