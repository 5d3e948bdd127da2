// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "schema/sqlite_connection.h"
#include "schema/sqlite_file.h"
#include "schema/store.h"

namespace ipmit::schema {

// The record on a single host: one SQLite file in WAL mode that the milter, the detector and
// ipmitctl share; tables in schema/README.md, change detection in docs/decisions/0020. Writers wait
// for each other up to SqliteConnection::kBusyTimeout, readers for nobody. A file that was replaced
// (a backup restored) is opened anew and has another epoch; so has one whose revision went back.
class SqliteStore : public Store {
 public:
  // See open_sqlite_file().
  SqliteStore(std::filesystem::path path, bool may_migrate);

  Loaded load() override;
  bool wait_for_change(Duration deadline, const std::stop_token& stop) override;
  std::optional<std::vector<Change>> changes_since(std::uint64_t revision,
                                                   std::size_t most) override;

  PutResult put(policy::Mitigation& mitigation, PutMode mode, const ChangeNote& note,
                TimePoint now) override;
  std::optional<policy::Mitigation> find(std::string_view name) override;
  std::vector<policy::Mitigation> list(const Filter& filter) override;
  bool release(std::string_view name, Duration hold_off, const ChangeNote& note,
               TimePoint now) override;
  std::size_t expire(TimePoint now, std::size_t most) override;
  PutResult put_exemption(policy::Exemption& exemption, const ChangeNote& note,
                          TimePoint now) override;
  bool remove_exemption(const policy::Target& target, const ChangeNote& note,
                        TimePoint now) override;
  std::vector<policy::Exemption> exemptions() override;
  std::vector<AuditRow> audit(std::string_view subject, std::size_t most) override;
  std::uint64_t revision() override;
  std::string epoch() override;
  bool add_hits(const std::vector<Hit>& hits, std::string_view batch) override;
  std::vector<Hit> hits(const std::vector<std::string>& names) override;

 private:
  // A row that may be one that to_mitigation() refuses.
  struct Found {
    std::int64_t id = 0;
    common::Result<policy::Mitigation> mitigation;
  };
  // What one change is called in the audit.
  struct Entry {
    const ChangeNote& note;
    TimePoint now;
    std::string_view operation, kind, subject;
  };

  SqliteConnection& database();
  bool reopen_if_replaced();
  std::optional<Found> find_row(std::string_view name);
  bool is_held_off(const std::vector<policy::Target>& targets, TimePoint now);
  void write_row(const policy::Mitigation& mitigation);
  void record(const Entry& entry, std::string_view before, std::string_view after);
  void remove(const Found& found, const Entry& entry);
  std::uint64_t take_revision();
  std::size_t expire_mitigations(TimePoint now, std::size_t most);
  std::size_t expire_exemptions(TimePoint now, std::size_t most);
  std::optional<policy::Exemption> find_exemption(const std::string& target);
  void load_mitigations(Loaded& loaded);
  void load_exemptions(Loaded& loaded);
  std::vector<policy::Mitigation> read_mitigations(SqliteStatement& rows);
  void skip(std::string_view subject, const std::string& reason);

  SqliteFile file_;
  SqliteConnection* connection_;  // of file_
  std::string epoch_;
  std::uint64_t loaded_revision_ = 0;
  std::uint64_t highest_revision_ = 0;
  bool loaded_ = false;  // from the file that is open
  std::int64_t seen_version_ =
      -1;  // PRAGMA data_version at the last look; -1: look at the revision
  std::unordered_set<std::string> logged_;
};

}  // namespace ipmit::schema
