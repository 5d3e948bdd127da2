-- SPDX-License-Identifier: Apache-2.0
-- The record of a cluster. schema/README.md says who writes and who reads each table. A step that was
-- released is never edited: the next change is the next file.

CREATE SCHEMA IF NOT EXISTS ipmit;
SET LOCAL search_path = ipmit;

CREATE TABLE schema_version (
  version integer PRIMARY KEY,
  file text NOT NULL,
  applied timestamptz NOT NULL DEFAULT clock_timestamp(),
  applied_by text NOT NULL DEFAULT session_user
);

-- One row. revision: of the last committed change. epoch: which history the revisions count; new_epoch()
-- begins another one after a backup was restored.
CREATE TABLE state (
  id boolean PRIMARY KEY DEFAULT true CHECK (id),
  epoch text NOT NULL DEFAULT gen_random_uuid(),
  revision bigint NOT NULL DEFAULT 0
);
INSERT INTO state DEFAULT VALUES;
CREATE SEQUENCE revision MINVALUE 1;

CREATE TABLE mitigations (
  name text COLLATE "C" PRIMARY KEY
    CHECK (name ~ '^[a-z0-9]([a-z0-9._/-]{0,198}[a-z0-9])?$'),
  origin text NOT NULL DEFAULT 'Database'
    CHECK (origin IN ('Manual', 'Detector', 'Database', 'Feed')),
  targets text[] NOT NULL CHECK (cardinality(targets) BETWEEN 1 AND 1000),
  sender_domains text[] NOT NULL DEFAULT '{}',
  sasl_users text[] NOT NULL DEFAULT '{}',
  recipient_domains text[] NOT NULL DEFAULT '{}',
  action text NOT NULL
    CHECK (action IN ('Observe', 'Reroute', 'Throttle', 'Defer', 'Quarantine', 'Reject', 'Discard')),
  mode text NOT NULL DEFAULT 'Enforce' CHECK (mode IN ('Enforce', 'DryRun')),
  rate_limit bigint CHECK (rate_limit BETWEEN 1 AND 1000000000),
  rate_period interval CHECK (rate_period BETWEEN '1 second' AND '31 days'),
  rate_burst bigint CHECK (rate_burst BETWEEN 1 AND 1000000000),
  rate_unit text CHECK (rate_unit IN ('messages', 'recipients')),
  rate_per text CHECK (rate_per IN ('target', 'address')),
  reply_code text NOT NULL DEFAULT '',
  reply_enhanced text NOT NULL DEFAULT '',
  reply_text text NOT NULL DEFAULT '',
  reroute_transport text NOT NULL DEFAULT '',
  priority integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN -1000 AND 1000),
  starts timestamptz,
  ends timestamptz,
  reason text NOT NULL CHECK (octet_length(reason) BETWEEN 1 AND 500),
  evidence text NOT NULL DEFAULT '' CHECK (octet_length(evidence) <= 65536),
  revision bigint NOT NULL DEFAULT 0,
  CHECK ((action = 'Throttle') = (rate_limit IS NOT NULL)),
  CHECK ((rate_limit IS NULL) = (rate_period IS NULL) AND (rate_limit IS NULL) = (rate_unit IS NULL)),
  CHECK ((action = 'Reroute') = (reroute_transport <> ''))
);
CREATE INDEX mitigations_ends ON mitigations (ends) WHERE ends IS NOT NULL;

-- Index of mitigations.targets, kept by a trigger: whoever covers an address is found by its few
-- possible prefixes.
CREATE TABLE targets (
  mitigation text COLLATE "C" NOT NULL REFERENCES mitigations (name) ON DELETE CASCADE,
  target text COLLATE "C" NOT NULL,
  PRIMARY KEY (mitigation, target)
);
CREATE INDEX targets_target ON targets (target);

CREATE TABLE exemptions (
  target text COLLATE "C" PRIMARY KEY,
  reason text NOT NULL CHECK (octet_length(reason) BETWEEN 1 AND 500),
  ends timestamptz,
  revision bigint NOT NULL DEFAULT 0
);

-- Targets that automatic mitigations must leave alone for a while after a release.
CREATE TABLE hold_offs (
  target text COLLATE "C" PRIMARY KEY,
  until timestamptz NOT NULL
);

CREATE TABLE hits (
  mitigation text COLLATE "C" PRIMARY KEY REFERENCES mitigations (name) ON DELETE CASCADE,
  count bigint NOT NULL,
  last timestamptz NOT NULL
);

-- Written by triggers only: nobody has the right to insert, update or delete here.
CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  revision bigint NOT NULL UNIQUE,
  at timestamptz NOT NULL,
  who text NOT NULL,
  why text NOT NULL,
  db_user text NOT NULL DEFAULT session_user,
  operation text NOT NULL
    CHECK (operation IN ('add', 'update', 'release', 'expire', 'exempt', 'unexempt')),
  kind text NOT NULL CHECK (kind IN ('mitigation', 'exemption')),
  subject text COLLATE "C" NOT NULL,
  before text NOT NULL DEFAULT '',
  after text NOT NULL DEFAULT ''
);
CREATE INDEX audit_subject ON audit (subject, id);
CREATE INDEX audit_at ON audit (at);
