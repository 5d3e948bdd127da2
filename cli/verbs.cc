// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs.h"

#include <array>

namespace ipmit::cli {

std::span<const Verb> all_verbs() {
  static constexpr std::array kVerbs = {
      Verb{"add", "Add a mitigation", Needs::kStore, declare_add},
      Verb{"list", "List mitigations", Needs::kStore, declare_list},
      Verb{"show", "Show one mitigation and its history", Needs::kStore, declare_show},
      Verb{"release", "End mitigations now", Needs::kStore, declare_release},
      Verb{"exempt add", "Exempt a target from every mitigation", Needs::kStore,
           declare_exempt_add},
      Verb{"exempt remove", "Remove an exemption", Needs::kStore, declare_exempt_remove},
      Verb{"exempt list", "List exemptions", Needs::kStore, declare_exempt_list},
      Verb{"explain", "What applies to a target, why, and its history", Needs::kStore,
           declare_explain},
      Verb{"test", "What the milter would do with a mail now", Needs::kStore, declare_test},
      Verb{"audit", "Who changed what, when and why", Needs::kStore, declare_audit},
      Verb{"validate", "Check files of mitigations, settings or bounce rules", Needs::kNothing,
           declare_validate},
      Verb{"doctor", "Check settings, store, milter and Postfix", Needs::kNothing, declare_doctor},
      Verb{"status", "Who enforces which revision, and what is wrong", Needs::kSettings,
           declare_status},
      Verb{"drain", "Let the milter of this host end its sessions and stop", Needs::kSettings,
           declare_drain},
      Verb{"settings", "Print the settings in force", Needs::kSettings, declare_settings},
      Verb{"import", "Add mitigations and exemptions from JSON lines", Needs::kStore,
           declare_import},
      Verb{"export", "Print all mitigations and exemptions as JSON lines", Needs::kStore,
           declare_export},
      Verb{"migrate", "Bring the schema of the store up to date", Needs::kSettings,
           declare_migrate},
      Verb{"upkeep", "Remove what has ended and what the record keeps no longer", Needs::kStore,
           declare_upkeep},
      Verb{"parse mail", "What mails report: bounces, complaints, automatic replies",
           Needs::kNothing, declare_parse_mail},
      Verb{"parse text", "The class of an SMTP reply, and the rule that decides", Needs::kNothing,
           declare_parse_text},
      Verb{"parse log", "Delivery events of a mail log on standard input, as JSON lines",
           Needs::kNothing, declare_parse_log},
      Verb{"parse provider", "Delivery events and complaints from the JSON of mail providers",
           Needs::kNothing, declare_parse_provider},
      Verb{"completion", "Print the completion script of a shell", Needs::kNothing,
           declare_completion},
  };
  return kVerbs;
}

}  // namespace ipmit::cli
