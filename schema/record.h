// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "schema/delivery_statistics.h"
#include "schema/findings.h"
#include "schema/fingerprints.h"
#include "schema/retention.h"

namespace ipmit::schema {

// What is learned, beside the rules in Store: the same database, on a session of its own. One
// instance belongs to one thread; any number of processes may hold one. Callers take the one of the
// four parts they need.
class Record : public Findings, public DeliveryStatistics, public Fingerprints, public Retention {};

// As open_store() (schema/store.h).
std::unique_ptr<Record> open_record(const std::string& url, bool may_migrate);

}  // namespace ipmit::schema
