// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "schema/redis_connection.h"

namespace ipmit::schema {

// Deletes every key of ipmit that holds another type than schema/README.md says, and returns how
// many. Somebody made them by hand, and every command on them fails. Reads the names of all keys,
// so it is for the case that something has failed. Throws the errors of RedisConnection.
std::size_t remove_wrong_types(RedisConnection& connection);

}  // namespace ipmit::schema
