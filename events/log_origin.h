// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "events/delivery_event.h"
#include "events/postfix_log.h"

namespace ipmit::events {

// Who decided the outcome of a kDelivery record: told by the daemon and by the texts that Postfix
// writes when its own configuration is the reason. Pure.
EventOrigin origin_of(const LogRecord& record);

}  // namespace ipmit::events
