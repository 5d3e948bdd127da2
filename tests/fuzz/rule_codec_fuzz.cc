// SPDX-License-Identifier: Apache-2.0
// The disk snapshot of a milter: its packed rules, and the file around them. Beyond not crashing:
// what is unpacked is valid and packs into the same; a file that was not written by us is refused.
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "common/error.h"
#include "schema/rule_codec.h"
#include "schema/snapshot_file.h"
#include "tests/fuzz/require.h"

using namespace ipmit;

namespace {

// A file that is only in memory, made once.
int scratch_file() {
  static const int file = ::memfd_create("rules", 0);
  require(file >= 0);
  return file;
}

void load_file(std::string_view bytes) {
  const int file = scratch_file();
  require(::ftruncate(file, 0) == 0);
  require(::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  try {
    const auto saved = schema::load_rules("/proc/self/fd/" + std::to_string(file));
    require(saved.has_value());
    for (const auto& rule : saved->set.mitigations) require(!policy::validate(rule));
  } catch (const common::PermanentError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto set = schema::unpack_rules(bytes)) {
    for (const auto& rule : set->mitigations) require(!policy::validate(rule));
    std::string packed;
    schema::pack_rules(*set, packed);
    const auto again = schema::unpack_rules(packed);
    require(again.ok());
    require(again->revision == set->revision && again->mitigations == set->mitigations &&
            again->exemptions == set->exemptions);
  }
  load_file(bytes);
  return 0;
}
