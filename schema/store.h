// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/mitigation.h"
#include "policy/mitigation_set.h"

namespace ipmit::schema {

using common::Duration;
using common::TimePoint;

// Where a milter gets its rules: the store itself on one host, Redis in a cluster. One instance
// belongs to one thread.
class MitigationSource {
 public:
  virtual ~MitigationSource() = default;

  // Everything in force or to come at one revision. Entries that cannot be read are skipped,
  // counted in `skipped` and logged once; a damaged source is a PermanentError. Throws
  // TransientError when the source cannot be reached.
  struct Loaded {
    policy::MitigationSet::Source set;
    std::size_t skipped = 0;
    // Who counts the revisions: a source whose count started anew has another epoch. Readers ignore
    // a lower revision than the one they hold only inside one epoch.
    std::string epoch;
  };
  virtual Loaded load() = 0;

  // Blocks until the source may have changed since the last load() (or changes_since()) (true), or
  // until `deadline` passed or `stop` was asked (false). A needless true is harmless. Throws like
  // load().
  virtual bool wait_for_change(Duration deadline, const std::stop_token& stop) = 0;
};

// Who changed something and why: goes to the audit with the record before and after.
struct ChangeNote {
  std::string who;  // "root", "alice", "ipmit-detector"
  std::string why;
};

struct AuditRow {
  std::uint64_t revision = 0;
  TimePoint when{};
  std::string who, why;
  std::string operation;      // "add", "update", "release", "expire", "exempt", "unexempt"
  std::string subject;        // mitigation name or exemption target
  std::string before, after;  // JSON, empty where there was none
};

// What one revision changed, for whoever keeps a copy: the new value, or that it is gone (released,
// expired, no longer exempt).
struct Change {
  struct Removed {
    std::string name;
  };
  struct Unexempted {
    std::string target;  // canonical text
  };
  std::uint64_t revision = 0;
  std::variant<policy::Mitigation, Removed, policy::Exemption, Unexempted> what;
};

enum class PutMode { kAddOnly, kReplaceOnly, kAddOrReplace };
enum class PutResult { kAdded, kReplaced, kUnchanged, kExists, kNotFound, kHeldOff };

// The record of mitigations and exemptions: SQLite on one host, PostgreSQL in a cluster; one
// contract suite holds both to this (tests/contract). Each change is one transaction that takes the
// next revision, writes the row and its audit row. Every write may be repeated: the second is
// kUnchanged. One instance belongs to one thread; any number of processes may hold one. Throws
// TransientError (busy, unreachable) and PermanentError (damaged, newer schema, no rights).
class Store : public MitigationSource {
 public:
  // `mitigation` must pass policy::validate(); it is canonicalised and its revision is set.
  // kHeldOff: one of its targets, or a target that contains it, was released with a hold-off that
  // has not ended, and the origin is not Manual.
  virtual PutResult put(policy::Mitigation& mitigation, PutMode mode, const ChangeNote& note,
                        TimePoint now) = 0;
  virtual std::optional<policy::Mitigation> find(std::string_view name) = 0;

  struct Filter {
    std::string name_prefix;
    std::optional<policy::Target> target;  // only rules that name this target or contain it
    std::optional<policy::Action> action;
    std::optional<policy::Origin> origin;
    std::string after;  // names greater than this: the next page
    std::size_t most = 1000;
  };
  virtual std::vector<policy::Mitigation> list(const Filter& filter) = 0;  // by name

  // Ends it now. `hold_off` > 0: automatic mitigations of the same targets are refused until then.
  // false: no such name.
  virtual bool release(std::string_view name, Duration hold_off, const ChangeNote& note,
                       TimePoint now) = 0;
  // Removes what has ended, one audit row each ("expire"); returns how many, at most `most`.
  virtual std::size_t expire(TimePoint now, std::size_t most) = 0;

  virtual PutResult put_exemption(policy::Exemption& exemption, const ChangeNote& note,
                                  TimePoint now) = 0;
  virtual bool remove_exemption(const policy::Target& target, const ChangeNote& note,
                                TimePoint now) = 0;
  virtual std::vector<policy::Exemption> exemptions() = 0;

  // Newest first; empty subject: all.
  virtual std::vector<AuditRow> audit(std::string_view subject, std::size_t most) = 0;
  virtual std::uint64_t revision() = 0;
  virtual std::string epoch() = 0;  // who counts the revisions, as in Loaded

  // The changes after `revision`, by rising revision, at most `most`: all of them up to the last
  // one given, so a caller that applies them holds exactly that revision. A record that cannot be
  // read is Removed. nullopt: the audit does not go back that far, or `revision` was never given
  // out (a backup was restored); load() instead.
  virtual std::optional<std::vector<Change>> changes_since(std::uint64_t revision,
                                                           std::size_t most) = 0;

  // Adds to the hits of mitigations; not a change: no revision, no audit. Names unknown are
  // ignored. A batch with a name counts once, however often it comes within a week; false: it was
  // there already, and nothing was added. Empty: it has none, and always counts.
  struct Hit {
    std::string name;
    std::uint64_t count = 0;
    TimePoint last{};
  };
  virtual bool add_hits(const std::vector<Hit>& hits, std::string_view batch) = 0;
  virtual std::vector<Hit> hits(const std::vector<std::string>& names) = 0;
};

// "sqlite:/path" or "postgresql://…". Opens and, where `may_migrate`, creates the database file and
// brings the schema up to date. PermanentError for an unknown scheme, a newer schema than this
// program knows or, without may_migrate, no schema or an older one. Without may_migrate the rights
// to read are enough; writes then end in a PermanentError.
std::unique_ptr<Store> open_store(const std::string& url, bool may_migrate);

}  // namespace ipmit::schema
