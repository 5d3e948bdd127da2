// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "schema/record.h"
#include "schema/sqlite_file.h"

namespace ipmit::schema {

// The record of a single host, in the same file as its rules. Statistics are rows, not partitions:
// one host has few enough.
class SqliteRecord : public Record {
 public:
  // See open_sqlite_file().
  SqliteRecord(std::filesystem::path path, bool may_migrate);

  void put(const std::vector<Found>& found) override;
  bool link(std::string_view id, std::string_view mitigation) override;
  std::optional<Finding> find(std::string_view id) override;
  std::vector<Finding> list(const Filter& filter) override;
  std::vector<Evidence> evidence(std::string_view id, std::size_t most) override;

  Added add(std::string_view batch, const std::vector<DeliveryCount>& counts,
            TimePoint now) override;
  std::vector<DeliveryCount> counts_of(std::string_view target, Span span) override;
  std::vector<Ranked> top(TargetKind kind, const std::vector<std::string>& outcomes, Span span,
                          std::size_t most) override;

  std::size_t add_traps(const std::vector<RecipientFingerprints>& traps, std::string_view source,
                        TimePoint now) override;
  std::size_t remove_traps(std::string_view source) override;
  std::vector<bool> are_traps(const std::vector<RecipientFingerprints>& recipients) override;
  void note_bounces(const std::vector<Bounce>& bounces) override;
  void forget_dead(const std::vector<RecipientFingerprints>& recipients) override;
  std::vector<std::optional<Dead>> find_dead(
      const std::vector<RecipientFingerprints>& recipients) override;
  std::vector<KeyUse> key_use() override;

  std::vector<Removed> apply_retention(const RetentionSpans& spans, TimePoint now,
                                       std::size_t most) override;

 private:
  SqliteConnection& database();
  bool is_trap(const RecipientFingerprints& recipient);

  SqliteFile file_;
};

}  // namespace ipmit::schema
