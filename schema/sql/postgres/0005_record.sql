-- SPDX-License-Identifier: Apache-2.0
-- Statistics in batches that count once, the key of each fingerprint, retention in small pieces.
SET LOCAL search_path = ipmit;

ALTER TABLE evidence ADD CHECK (length(event) BETWEEN 1 AND 200);

-- Batches that were added, so that one that comes twice counts once.
CREATE TABLE statistics_batches (
  batch text COLLATE "C" PRIMARY KEY CHECK (length(batch) BETWEEN 1 AND 200),
  at timestamptz NOT NULL
);
CREATE INDEX statistics_batches_at ON statistics_batches (at);
CREATE INDEX delivery_statistics_target ON delivery_statistics (target, day);

-- counts: [{"day":…,"target":…,"class":…,"events":…}, …]. false: the batch was there already. In one
-- order, so that two who add at once wait for each other and do not deadlock.
CREATE FUNCTION add_statistics(of_batch text, added timestamptz, counts json) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  INSERT INTO statistics_batches VALUES (of_batch, added) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM make_statistics_partition(d.day)
    FROM (SELECT DISTINCT day FROM json_to_recordset(counts) AS c (day date)) d
    WHERE to_regclass(statistics_partition(d.day)) IS NULL;
  INSERT INTO delivery_statistics AS s
    SELECT day, target, class, sum(events)
    FROM json_to_recordset(counts) AS c (day date, target text, class text, events bigint)
    GROUP BY day, target, class ORDER BY day, target COLLATE "C", class
    ON CONFLICT (day, target, class) DO UPDATE SET events = s.events + excluded.events;
  RETURN true;
END $$;

-- The key of common/secret_box.h that made it; 0: not known.
ALTER TABLE trap_fingerprints ADD COLUMN key_id integer NOT NULL DEFAULT 0
  CHECK (key_id BETWEEN 0 AND 65535);
ALTER TABLE dead_recipient_fingerprints ADD COLUMN key_id integer NOT NULL DEFAULT 0
  CHECK (key_id BETWEEN 0 AND 65535);
CREATE INDEX trap_fingerprints_source ON trap_fingerprints (source);

-- Removes what is older than asked, at most `most` rows of each table, and says how much of what. Makes
-- the partitions of the days to come, so that writers need not. Days go whole, and only when nobody
-- uses them: the next time will do.
DROP FUNCTION apply_retention(interval, interval, interval, interval);
CREATE FUNCTION apply_retention(statistics interval DEFAULT '90 days',
                                findings_kept interval DEFAULT '90 days',
                                audit_kept interval DEFAULT '400 days',
                                dead_recipients interval DEFAULT '180 days',
                                batches interval DEFAULT '7 days',
                                most bigint DEFAULT 100000,
                                as_of timestamptz DEFAULT now())
RETURNS TABLE (what text, removed bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp SET lock_timeout = '250ms' AS $$
DECLARE
  part record;
BEGIN
  what := 'delivery_statistics days'; removed := 0;
  BEGIN
    PERFORM make_statistics_partition(current_date + n) FROM generate_series(0, 7) n
      WHERE to_regclass(statistics_partition(current_date + n)) IS NULL;
    FOR part IN
      SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'delivery_statistics'::regclass
        AND c.relname < statistics_partition((as_of - statistics)::date)
    LOOP
      EXECUTE format('DROP TABLE %I', part.relname);
      removed := removed + 1;
    END LOOP;
  EXCEPTION
    WHEN lock_not_available THEN removed := 0;
  END;
  RETURN NEXT;
  DELETE FROM findings WHERE id IN
    (SELECT id FROM findings WHERE at < as_of - findings_kept LIMIT most);
  GET DIAGNOSTICS removed = ROW_COUNT; what := 'findings'; RETURN NEXT;
  DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < as_of - audit_kept LIMIT most);
  GET DIAGNOSTICS removed = ROW_COUNT; what := 'audit'; RETURN NEXT;
  DELETE FROM dead_recipient_fingerprints WHERE fingerprint IN
    (SELECT fingerprint FROM dead_recipient_fingerprints
     WHERE last_seen < as_of - dead_recipients LIMIT most);
  GET DIAGNOSTICS removed = ROW_COUNT; what := 'dead_recipient_fingerprints'; RETURN NEXT;
  DELETE FROM statistics_batches WHERE batch IN
    (SELECT batch FROM statistics_batches WHERE at < as_of - batches LIMIT most);
  GET DIAGNOSTICS removed = ROW_COUNT; what := 'statistics_batches'; RETURN NEXT;
END $$;

REVOKE ALL ON FUNCTION add_statistics(text, timestamptz, json),
  apply_retention(interval, interval, interval, interval, interval, bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_statistics(text, timestamptz, json) TO ipmit_detector;
GRANT EXECUTE ON FUNCTION
  apply_retention(interval, interval, interval, interval, interval, bigint, timestamptz) TO ipmit_controller;
-- A recipient that takes mail again is not dead.
GRANT DELETE ON dead_recipient_fingerprints TO ipmit_detector;
