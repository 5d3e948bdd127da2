// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "cli/verb.h"

namespace ipmit::cli {

// The verbs of ipmitctl, in the order of --help. verb.h tells how to add one.
std::span<const Verb> all_verbs();

Run declare_add(VerbParser& parser);
Run declare_list(VerbParser& parser);
Run declare_show(VerbParser& parser);
Run declare_release(VerbParser& parser);
Run declare_exempt_add(VerbParser& parser);
Run declare_exempt_remove(VerbParser& parser);
Run declare_exempt_list(VerbParser& parser);
Run declare_explain(VerbParser& parser);
Run declare_test(VerbParser& parser);
Run declare_audit(VerbParser& parser);
Run declare_validate(VerbParser& parser);
Run declare_doctor(VerbParser& parser);
Run declare_status(VerbParser& parser);
Run declare_drain(VerbParser& parser);
Run declare_settings(VerbParser& parser);
Run declare_migrate(VerbParser& parser);
Run declare_upkeep(VerbParser& parser);
Run declare_import(VerbParser& parser);
Run declare_export(VerbParser& parser);
Run declare_parse_mail(VerbParser& parser);
Run declare_parse_text(VerbParser& parser);
Run declare_parse_provider(VerbParser& parser);
Run declare_parse_log(VerbParser& parser);
Run declare_completion(VerbParser& parser);

}  // namespace ipmit::cli
