-- SPDX-License-Identifier: Apache-2.0
-- Hits in batches that count once.
SET LOCAL search_path = ipmit;

-- counts: [{"name":…,"count":…,"last":…}, …]; mitigations that are gone are left out. An empty batch has no
-- name and always counts. false: the batch was there already. In one order, so that two who add at once
-- wait for each other and do not deadlock.
CREATE FUNCTION add_hits(of_batch text, added timestamptz, counts json) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  IF of_batch <> '' THEN
    INSERT INTO statistics_batches VALUES ('hits ' || of_batch, added) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RETURN false; END IF;
  END IF;
  INSERT INTO hits AS h
    SELECT m.name, sum(c.count), max(c.last)
    FROM json_to_recordset(counts) AS c (name text, count bigint, last timestamptz)
    JOIN mitigations m ON m.name = c.name
    GROUP BY m.name ORDER BY m.name COLLATE "C"
    ON CONFLICT (mitigation) DO UPDATE
      SET count = h.count + excluded.count, last = greatest(h.last, excluded.last);
  RETURN true;
END $$;

REVOKE ALL ON FUNCTION add_hits(text, timestamptz, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_hits(text, timestamptz, json) TO ipmit_controller;
