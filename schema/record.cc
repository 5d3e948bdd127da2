// SPDX-License-Identifier: Apache-2.0
#include "schema/record.h"

#include <array>
#include <utility>

#include "common/error.h"
#include "policy/envelope.h"
#include "policy/text.h"
#include "schema/postgres_record.h"
#include "schema/sqlite_record.h"

namespace ipmit::schema {
namespace {

constexpr std::array<std::pair<Evidence::Kind, std::string_view>, 6> kKinds = {{
    {Evidence::Kind::kDelivery, "delivery"},
    {Evidence::Kind::kDsn, "dsn"},
    {Evidence::Kind::kComplaint, "complaint"},
    {Evidence::Kind::kTrap, "trap"},
    {Evidence::Kind::kDnsbl, "dnsbl"},
    {Evidence::Kind::kHttp, "http"},
}};

// One for traps and dead recipients: the same hash is looked up in both.
constexpr std::string_view kPurpose = "recipient";

}  // namespace

std::string_view to_string(Evidence::Kind kind) {
  return kKinds[static_cast<std::size_t>(kind)].second;
}

std::optional<Evidence::Kind> parse_evidence_kind(std::string_view text) {
  for (const auto& [kind, name] : kKinds)
    if (name == text) return kind;
  return std::nullopt;
}

RecipientFingerprints fingerprints_of(const common::SecretBox& box, std::string_view recipient) {
  const std::string address =
      policy::to_lower(policy::EnvelopeAddress::parse(recipient).to_string());
  const auto hashes = box.fingerprints(address, kPurpose);
  const auto ids = box.key_ids();
  RecipientFingerprints result;
  for (std::size_t i = 0; i < hashes.size(); ++i) result.push_back({ids[i], hashes[i]});
  return result;
}

std::unique_ptr<Record> open_record(const std::string& url, bool may_migrate) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (url.starts_with(kSqlite) && url.size() > kSqlite.size())
    return std::make_unique<SqliteRecord>(url.substr(kSqlite.size()), may_migrate);
  for (const std::string_view scheme : {"postgresql://", "postgres://"})
    if (url.starts_with(scheme)) return std::make_unique<PostgresRecord>(url, may_migrate);
  throw common::PermanentError("store \"" + url + "\": must be sqlite:/PATH or postgresql://…");
}

}  // namespace ipmit::schema
