-- SPDX-License-Identifier: Apache-2.0
-- What the detector learns, as in PostgreSQL (sql/postgres/0003, 0005). Every row has a key that the writer
-- can make again, so that writing twice is writing once. No table holds a clear address of a recipient.

CREATE TABLE findings (
  id TEXT PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 200),
  at_ms INTEGER NOT NULL,
  target TEXT NOT NULL,
  rule TEXT NOT NULL,
  events INTEGER NOT NULL CHECK (events >= 0),
  window_begins_ms INTEGER NOT NULL,
  window_ends_ms INTEGER NOT NULL,
  summary TEXT NOT NULL CHECK (summary <> ''),
  mitigation TEXT,
  CHECK (window_begins_ms <= window_ends_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_target ON findings (target, at_ms);
CREATE INDEX findings_at ON findings (at_ms);
CREATE INDEX findings_mitigation ON findings (mitigation) WHERE mitigation IS NOT NULL;

CREATE TABLE evidence (
  finding TEXT NOT NULL REFERENCES findings (id) ON DELETE CASCADE,
  event TEXT NOT NULL CHECK (length(event) BETWEEN 1 AND 200),
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('delivery', 'dsn', 'complaint', 'trap', 'dnsbl', 'http')),
  detail TEXT NOT NULL,
  PRIMARY KEY (finding, event)
) STRICT, WITHOUT ROWID;

-- day: since 1970-01-01 UTC.
CREATE TABLE delivery_statistics (
  day INTEGER NOT NULL,
  target TEXT NOT NULL,
  class TEXT NOT NULL,
  events INTEGER NOT NULL CHECK (events >= 0),
  PRIMARY KEY (day, target, class)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_statistics_target ON delivery_statistics (target, day);

-- Batches that were added, so that one that comes twice counts once.
CREATE TABLE statistics_batches (
  batch TEXT PRIMARY KEY CHECK (length(batch) BETWEEN 1 AND 200),
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX statistics_batches_at ON statistics_batches (at_ms);

CREATE TABLE trap_fingerprints (
  fingerprint TEXT PRIMARY KEY CHECK (length(fingerprint) = 22),
  key_id INTEGER NOT NULL,
  source TEXT NOT NULL,
  added_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_recipient_fingerprints (
  fingerprint TEXT PRIMARY KEY CHECK (length(fingerprint) = 22),
  key_id INTEGER NOT NULL,
  bounces INTEGER NOT NULL CHECK (bounces > 0),
  first_seen_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_recipient_fingerprints_last_seen ON dead_recipient_fingerprints (last_seen_ms);

CREATE INDEX audit_at ON audit (at_ms);
