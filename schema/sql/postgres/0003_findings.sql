-- SPDX-License-Identifier: Apache-2.0
-- What the detector learns. Every row has a key that the writer can make again, so that writing twice is
-- writing once. No table holds a clear address of a recipient.
SET LOCAL search_path = ipmit;

-- Decisions that a target is bad. id: of target, rule and window.
CREATE TABLE findings (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 200),
  at timestamptz NOT NULL,
  target text COLLATE "C" NOT NULL,
  rule text NOT NULL,
  events bigint NOT NULL CHECK (events >= 0),
  window_begins timestamptz NOT NULL,
  window_ends timestamptz NOT NULL,
  summary text NOT NULL CHECK (octet_length(summary) BETWEEN 1 AND 2000),
  mitigation text COLLATE "C",
  CHECK (window_begins <= window_ends)
);
CREATE INDEX findings_target ON findings (target, at);
CREATE INDEX findings_at ON findings (at);
CREATE INDEX findings_mitigation ON findings (mitigation) WHERE mitigation IS NOT NULL;

-- The lines and reports a finding stands on, as a person reads them.
CREATE TABLE evidence (
  finding text COLLATE "C" NOT NULL REFERENCES findings (id) ON DELETE CASCADE,
  event text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  kind text NOT NULL CHECK (kind IN ('delivery', 'dsn', 'complaint', 'trap', 'dnsbl', 'http')),
  detail text NOT NULL CHECK (octet_length(detail) <= 16384),
  PRIMARY KEY (finding, event)
);

-- Deliveries a day, target and class; one partition a day, dropped whole when it is too old.
CREATE TABLE delivery_statistics (
  day date NOT NULL,
  target text COLLATE "C" NOT NULL,
  class text NOT NULL,
  events bigint NOT NULL CHECK (events >= 0),
  PRIMARY KEY (day, target, class)
) PARTITION BY RANGE (day);

CREATE FUNCTION statistics_partition(day date) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'delivery_statistics_' || to_char(day, 'YYYYMMDD')
$$;

CREATE FUNCTION make_statistics_partition(which date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  IF which NOT BETWEEN current_date - 400 AND current_date + 31 THEN
    RAISE EXCEPTION 'statistics of % are out of range', which USING ERRCODE = 'data_exception';
  END IF;
  IF to_regclass(statistics_partition(which)) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF delivery_statistics '
                 'FOR VALUES FROM (%L) TO (%L)', statistics_partition(which), which, which + 1);
EXCEPTION
  WHEN duplicate_table OR unique_violation THEN NULL;  -- another replica was first
END $$;

-- Adds to a day's count, and makes its partition when it is the first.
CREATE FUNCTION add_statistics(which date, whom text, what text, more bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  PERFORM make_statistics_partition(which);
  INSERT INTO delivery_statistics AS s VALUES (which, whom, what, more)
    ON CONFLICT (day, target, class) DO UPDATE SET events = s.events + excluded.events;
END $$;

-- Keyed hashes of addresses (common/secret_box.h), 22 characters of base64url: enough to recognise a
-- trap or a dead recipient again, nothing to read.
CREATE TABLE trap_fingerprints (
  fingerprint text COLLATE "C" PRIMARY KEY CHECK (fingerprint ~ '^[A-Za-z0-9_-]{22}$'),
  source text NOT NULL DEFAULT '',
  added timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE dead_recipient_fingerprints (
  fingerprint text COLLATE "C" PRIMARY KEY CHECK (fingerprint ~ '^[A-Za-z0-9_-]{22}$'),
  bounces integer NOT NULL DEFAULT 1 CHECK (bounces > 0),
  first_seen timestamptz NOT NULL,
  last_seen timestamptz NOT NULL
);
CREATE INDEX dead_recipient_fingerprints_last_seen ON dead_recipient_fingerprints (last_seen);

-- Removes what is older than asked, and says how much of what.
CREATE FUNCTION apply_retention(statistics interval DEFAULT '90 days',
                                findings_kept interval DEFAULT '90 days',
                                audit_kept interval DEFAULT '400 days',
                                dead_recipients interval DEFAULT '180 days')
RETURNS TABLE (what text, removed bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
DECLARE
  part record;
  dropped bigint := 0;
BEGIN
  FOR part IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'delivery_statistics'::regclass
      AND c.relname < statistics_partition((now() - statistics)::date)
  LOOP
    EXECUTE format('DROP TABLE %I', part.relname);
    dropped := dropped + 1;
  END LOOP;
  what := 'delivery_statistics days'; removed := dropped; RETURN NEXT;
  DELETE FROM findings WHERE at < now() - findings_kept;
  GET DIAGNOSTICS removed = ROW_COUNT; what := 'findings'; RETURN NEXT;
  DELETE FROM audit WHERE at < now() - audit_kept;
  GET DIAGNOSTICS removed = ROW_COUNT; what := 'audit'; RETURN NEXT;
  DELETE FROM dead_recipient_fingerprints WHERE last_seen < now() - dead_recipients;
  GET DIAGNOSTICS removed = ROW_COUNT; what := 'dead_recipient_fingerprints'; RETURN NEXT;
END $$;
