// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "schema/redis_connection.h"
#include "schema/store.h"

namespace ipmit::schema {

// The rules as a milter or an agent reads them from Redis. The first load() reads everything, then
// the change stream says what to read again. A new epoch, a lower revision or a step missing in the
// stream (Redis flushed, restored from an older dump, failed over, or more changes than the stream
// keeps) leads to reading everything again; so does a load() without a change before it.
//
// An empty Redis is not an empty rule set: without an epoch load() throws TransientError. A record
// that cannot be read is skipped, counted and logged once. Blocks for at most the deadlines of the
// connection for each step. One thread at a time.
class RedisSource : public MitigationSource {
 public:
  explicit RedisSource(RedisOptions options);
  Loaded load() override;
  bool wait_for_change(Duration deadline, const std::stop_token& stop) override;

 private:
  // Records by name, in no order. While all are read for the first time they are only appended;
  // the index by name, a third of the work, is made when somebody needs it.
  template <typename Record>
  struct Table {
    std::vector<Record> records;
    std::vector<std::string> names;
    std::unordered_map<std::string, std::size_t> places;
    bool is_indexed = true;
    // A copy to give away, made while the server is waited for anyway; empty once anything else
    // than appending was done.
    std::vector<Record> to_give;

    std::vector<Record> give();
    void put(std::string_view name, Record record);
    void erase(std::string_view name);
    void clear(std::size_t expected);  // not indexed from now on
    void make_index();                 // of two records of one name the later stays
  };
  struct Head {
    std::string epoch;
    std::uint64_t revision = 0;
    std::string last_change;  // id in the stream
    std::size_t mitigations = 0;
  };
  using Names = std::set<std::string, std::less<>>;

  std::optional<Head> read_head();
  void load_all();
  bool catch_up();
  std::size_t load_index(std::string_view index, std::string_view prefix);
  struct Page;
  static Page page_after(const Page& before, RedisReply reply);
  void send_for_page(std::string_view index, std::string_view prefix, const Page& page);
  template <typename Name>
  void load_records(std::string_view prefix, const std::vector<Name>& names);
  void take_record(std::string_view prefix, std::string_view name, RedisValue hash);
  bool read_changes(Duration block);
  bool note_change(RedisValue entry);
  void load_changed();
  bool is_in_step();
  void skip(const std::string& key, const std::string& reason);

  RedisConnection connection_;
  Table<policy::Mitigation> mitigations_;
  Table<policy::Exemption> exemptions_;
  std::string epoch_;
  std::uint64_t revision_ = 0;
  std::uint64_t loaded_revision_ = 0;
  std::string last_change_;
  // The tables are all of it as of revision_, and the stream after last_change_ continues it.
  bool complete_ = false;

  // Named by the stream, to be read at the next load().
  Names changed_mitigations_, changed_exemptions_;

  Names skipped_, logged_;  // keys of records that cannot be read
};

}  // namespace ipmit::schema
