// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "schema/postgres_connection.h"
#include "schema/store.h"

namespace ipmit::schema {

// The record of a cluster. Revisions, audit rows, the index of targets and notifications are made
// by triggers (schema/sql/postgres/0002), so that changes by hand in psql count like ours. Every
// change takes the one lock of all changes first: they commit in the order of their revisions.
//
// Waiting is LISTEN; a session that was lost is opened again by the next call, which then compares
// revisions.
class PostgresStore : public Store {
 public:
  // See check_postgres_schema(). `url`: a libpq URI, postgresql://…
  PostgresStore(const std::string& url, bool may_migrate);

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
  // Readable, or the problem that to_mitigation() has with it.
  using Found = common::Result<policy::Mitigation>;

  std::optional<Found> find_row(PostgresTransaction& transaction, std::string_view name);
  std::optional<policy::Exemption> find_exemption(PostgresTransaction& transaction,
                                                  const std::string& target, bool& there);
  void load_mitigations(PostgresTransaction& transaction, Loaded& loaded);
  void load_exemptions(PostgresTransaction& transaction, Loaded& loaded);
  void skip(std::string_view subject, const std::string& reason);

  struct Known {
    std::uint64_t revision = 0;
    std::string epoch;
  };

  PostgresConnection connection_;
  bool listening_ = false;
  // What load() or changes_since() last gave out.
  Known known_;
  bool loaded_ = false;
  bool changed_ = false;                // since then, as a notification said
  std::uint64_t compared_session_ = 0;  // in which the record was compared with it
  std::unordered_set<std::string> logged_;
};

}  // namespace ipmit::schema
