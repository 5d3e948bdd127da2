// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/secret_box.h"

namespace ipmit::schema {

// A keyed hash of a recipient: recognised again, never read back. `key_id` is the key of the ring
// that made it.
struct Fingerprint {
  std::uint16_t key_id = 0;
  std::string hash;  // 22 characters of base64url
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};
// One recipient under every key of the ring, newest first; never empty.
using RecipientFingerprints = std::vector<Fingerprint>;

// `recipient` as in RCPT TO or a DSN, with or without angle brackets; case does not count, in the
// local part neither. Pure.
RecipientFingerprints fingerprints_of(const common::SecretBox& box, std::string_view recipient);

// Spam traps, and recipients that were said not to exist. No clear address gets here: callers have
// made fingerprints of them. What is new is stored under the newest key; what is looked up is found
// under any. Every write may be repeated. Errors, threads and blocking as with schema/store.h.
class Fingerprints {
 public:
  virtual ~Fingerprints() = default;

  // `source` is whose list they are from. Returns how many are new.
  virtual std::size_t add_traps(const std::vector<RecipientFingerprints>& traps,
                                std::string_view source, common::TimePoint now) = 0;
  virtual std::size_t remove_traps(std::string_view source) = 0;  // how many
  // One answer for each recipient.
  virtual std::vector<bool> are_traps(const std::vector<RecipientFingerprints>& recipients) = 0;

  struct Bounce {
    RecipientFingerprints recipient;
    common::TimePoint at{};
  };
  // Counts bounces of recipients that do not exist. One that is not younger than the last of its
  // recipient is taken for the same again. A recipient known under an older key moves to the
  // newest.
  virtual void note_bounces(const std::vector<Bounce>& bounces) = 0;
  // They exist after all: mail was delivered.
  virtual void forget_dead(const std::vector<RecipientFingerprints>& recipients) = 0;

  struct Dead {
    std::uint64_t bounces = 0;
    common::TimePoint first_seen{}, last_seen{};
    friend bool operator==(const Dead&, const Dead&) = default;
  };
  // One answer for each recipient.
  virtual std::vector<std::optional<Dead>> find_dead(
      const std::vector<RecipientFingerprints>& recipients) = 0;

  // How many fingerprints each key made, by rising id: a key may leave the ring when it has none
  // that are still wanted.
  struct KeyUse {
    std::uint16_t key_id = 0;
    std::uint64_t traps = 0, dead_recipients = 0;
    friend bool operator==(const KeyUse&, const KeyUse&) = default;
  };
  virtual std::vector<KeyUse> key_use() = 0;
};

}  // namespace ipmit::schema
