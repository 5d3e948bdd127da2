// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "policy/mitigation.h"

namespace ipmit::schema {

// Mitigation <-> JSON, the one form for `ipmitctl -o json`, import/export, audit rows and the disk
// snapshot; schema/mitigation.schema.json describes it. Keys are camelCase as in the IPMitigation
// resource: {"name":…,"origin":"Manual","targets":["203.0.113.0/24","user:alice"],"scope":
// {"senderDomains":[…],"saslUsers":[…],"recipientDomains":[…]},"action":"Throttle","mode":"Enforce",
// "rateLimit":{"limit":100,"period":"1h","burst":100,"unit":"messages","per":"target"},
// "reply":{"code":…,"enhancedCode":…,"text":…},"reroute":{"transport":…},"priority":0,
// "starts":…,"ends":…,"reason":…,"evidence":…,"revision":7}. Empty and default members are left
// out.
std::string to_json(const policy::Mitigation& mitigation);
std::string to_json(const policy::Exemption& exemption);  // {"target","reason","ends","revision"}

// Problem: "member: reason"; an unknown member, a wrong type, a failed policy::validate().
common::Result<policy::Mitigation> mitigation_from_json(std::string_view text);
common::Result<policy::Exemption> exemption_from_json(std::string_view text);

}  // namespace ipmit::schema
