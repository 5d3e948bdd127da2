// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "cli/target_match.h"
#include "cli/verbs.h"

namespace ipmit::cli {

Run declare_migrate(VerbParser&) {
  return [](Context& context) {
    const auto store = schema::open_store(context.settings.store, true);
    const std::uint64_t revision = store->revision();
    if (context.json())
      context.out << R"({"store":)" << json_string(context.settings.store) << R"(,"revision":)"
                  << revision << "}\n";
    else
      context.out << context.settings.store << " has the schema of this ipmit, revision "
                  << revision << '\n';
    return kOk;
  };
}

}  // namespace ipmit::cli
