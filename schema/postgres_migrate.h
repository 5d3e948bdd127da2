// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "schema/postgres_connection.h"

namespace ipmit::schema {

// Holds the database to the schema version this program knows; where `may_migrate`, runs the
// missing steps in one transaction under an advisory lock, so that of several programs that start
// at once one does it and the others wait for it. The steps only go forward. Needs an owner of
// schema ipmit, the first time one who may create schemas and roles.
//
// PermanentError: a newer version than this program knows, or without may_migrate an older one.
void check_postgres_schema(PostgresConnection& connection, bool may_migrate);

}  // namespace ipmit::schema
