// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/clock.h"
#include "policy/mitigation_set.h"

namespace ipmit::schema {

// The rules of a milter on disk, so that it can start while its source is away. One file: a head of
// fixed size (magic, version, sizes, BLAKE2b checksum of all that follows it), then the epoch and
// the rules as rule_codec.h packs them; its modification time is when the source last said the
// same. Evidence is left out: nothing that is enforced depends on it.
struct SavedRules {
  policy::MitigationSet::Source set;
  std::string epoch;  // of the source, see MitigationSource::Loaded; at most 255 bytes
  common::TimePoint confirmed_at{};  // when the source last said so
};

// Replaces `path` atomically and durably: a crash at any time leaves the old or the new file.
// Blocks on the disk. TransientError with path and reason if it cannot be written.
void save_rules(const std::filesystem::path& path, const policy::MitigationSet::Source& set,
                const std::string& epoch, common::TimePoint confirmed_at);

// Only sets confirmed_at of what is there. TransientError as above.
void confirm_rules(const std::filesystem::path& path, common::TimePoint confirmed_at);

// nullopt: no such file. PermanentError with path and reason: unreadable, damaged in any byte, cut,
// of another version, or holding a rule that policy::validate() refuses; never part of the rules.
std::optional<SavedRules> load_rules(const std::filesystem::path& path);

}  // namespace ipmit::schema
