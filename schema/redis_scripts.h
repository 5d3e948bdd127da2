// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "schema/redis_connection.h"

// The scripts of schema/*.lua; each file says what it takes and gives. The texts and their SHA-1
// are put in by the build.
namespace ipmit::schema {

extern const RedisScript kPublishScript;
extern const RedisScript kGcraScript;
extern const RedisScript kGcraRefundScript;
extern const RedisScript kAnnounceScript;
extern const RedisScript kHitsAddScript;
extern const RedisScript kHitsTakeScript;
extern const RedisScript kHitsForgetScript;

}  // namespace ipmit::schema
