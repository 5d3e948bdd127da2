-- SPDX-License-Identifier: Apache-2.0
-- Times are milliseconds since 1970-01-01 UTC. Lists are one entry a line. schema/README.md says who writes
-- and who reads each table. A step that was released is never edited: the next change is the next file.

-- "ipmt": tells an ipmit database from any other.
PRAGMA application_id = 0x69706d74;

-- One row. revision: of the last change. mitigations: how many there are, so that a reader of a damaged
-- file notices that some are gone.
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  revision INTEGER NOT NULL,
  mitigations INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 0, 0);

CREATE TABLE mitigations (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  origin TEXT NOT NULL CHECK (origin IN ('Manual', 'Detector', 'Database', 'Feed')),
  sender_domains TEXT NOT NULL DEFAULT '',
  sasl_users TEXT NOT NULL DEFAULT '',
  recipient_domains TEXT NOT NULL DEFAULT '',
  action TEXT NOT NULL
    CHECK (action IN ('Observe', 'Reroute', 'Throttle', 'Defer', 'Quarantine', 'Reject', 'Discard')),
  mode TEXT NOT NULL DEFAULT 'Enforce' CHECK (mode IN ('Enforce', 'DryRun')),
  rate_limit INTEGER,
  rate_period_ms INTEGER,
  rate_burst INTEGER,
  rate_unit TEXT CHECK (rate_unit IN ('messages', 'recipients')),
  rate_per TEXT CHECK (rate_per IN ('target', 'address')),
  reply_code TEXT NOT NULL DEFAULT '',
  reply_enhanced TEXT NOT NULL DEFAULT '',
  reply_text TEXT NOT NULL DEFAULT '',
  reroute_transport TEXT NOT NULL DEFAULT '',
  priority INTEGER NOT NULL DEFAULT 0,
  starts_ms INTEGER,
  ends_ms INTEGER,
  reason TEXT NOT NULL,
  evidence TEXT NOT NULL DEFAULT '',
  revision INTEGER NOT NULL
) STRICT;
CREATE INDEX mitigations_ends ON mitigations (ends_ms) WHERE ends_ms IS NOT NULL;
CREATE INDEX mitigations_revision ON mitigations (revision);

CREATE TRIGGER mitigations_more AFTER INSERT ON mitigations BEGIN
  UPDATE state SET mitigations = mitigations + 1;
END;
CREATE TRIGGER mitigations_fewer AFTER DELETE ON mitigations BEGIN
  UPDATE state SET mitigations = mitigations - 1;
END;

-- Canonical text, so that whoever covers an address is found by its few possible prefixes.
CREATE TABLE targets (
  mitigation INTEGER NOT NULL REFERENCES mitigations (id) ON DELETE CASCADE,
  target TEXT NOT NULL,
  PRIMARY KEY (mitigation, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX targets_target ON targets (target);

CREATE TABLE exemptions (
  target TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  ends_ms INTEGER,
  revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Targets that automatic mitigations must leave alone for a while after a release.
CREATE TABLE hold_offs (
  target TEXT PRIMARY KEY,
  until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hits (
  mitigation INTEGER PRIMARY KEY REFERENCES mitigations (id) ON DELETE CASCADE,
  count INTEGER NOT NULL,
  last_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  revision INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,
  why TEXT NOT NULL,
  operation TEXT NOT NULL
    CHECK (operation IN ('add', 'update', 'release', 'expire', 'exempt', 'unexempt')),
  kind TEXT NOT NULL CHECK (kind IN ('mitigation', 'exemption')),
  subject TEXT NOT NULL,
  before TEXT NOT NULL DEFAULT '',
  after TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX audit_subject ON audit (subject, id);
CREATE INDEX audit_revision ON audit (revision);
