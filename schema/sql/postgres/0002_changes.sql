-- SPDX-License-Identifier: Apache-2.0
-- Every change of mitigations and exemptions, by ipmit or by hand in psql, gets its revision, its audit
-- row and its notification here.
--
-- Revisions come from a sequence, but a sequence alone would let a reader that holds revision 8 miss
-- revision 7 when 8 commits first. So the statement triggers lock the one row of `state` before anything
-- else, until the transaction ends: changes commit one after the other, in the order of their revisions,
-- and state.revision is what is committed. A transaction that rolls back leaves a gap, which harms nobody.
SET LOCAL search_path = ipmit;

-- One spelling for each target: lower case, addresses as PostgreSQL prints them, a single address without
-- its length. Host bits that are set are an error ("invalid cidr value").
CREATE FUNCTION canonical_target(target text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog AS $$
  SELECT CASE
    WHEN target ~* '^(user|domain):' THEN lower(target COLLATE "C")
    WHEN masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END THEN host(address)
    ELSE address::text
  END
  FROM (SELECT CASE WHEN target !~* '^(user|domain):'
                    THEN regexp_replace(lower(target), '^ip:', '')::cidr END AS address) parsed
$$;

-- The JSON of schema/mitigation.schema.json.
CREATE FUNCTION json_list(list text[]) RETURNS json LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN cardinality(list) > 0 THEN to_json(list) END
$$;
CREATE FUNCTION json_time(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
-- In plpgsql, like all that runs once a row: it keeps its plan, an SQL function is planned at each call.
CREATE FUNCTION json_of(m mitigations) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = ipmit, pg_temp AS $$
BEGIN
  RETURN json_strip_nulls(json_build_object(
    'name', m.name, 'origin', m.origin, 'targets', m.targets,
    'scope', CASE WHEN cardinality(m.sender_domains || m.sasl_users || m.recipient_domains) > 0 THEN
      json_build_object('senderDomains', json_list(m.sender_domains),
                        'saslUsers', json_list(m.sasl_users),
                        'recipientDomains', json_list(m.recipient_domains)) END,
    'action', m.action, 'mode', m.mode,
    'rateLimit', CASE WHEN m.rate_limit IS NOT NULL THEN
      json_build_object('limit', m.rate_limit,
                        'period', (extract(epoch FROM m.rate_period) * 1000)::bigint || 'ms',
                        'burst', coalesce(m.rate_burst, m.rate_limit), 'unit', m.rate_unit,
                        'per', coalesce(m.rate_per, 'target')) END,
    'reply', CASE WHEN m.reply_code || m.reply_enhanced || m.reply_text <> '' THEN
      json_build_object('code', nullif(m.reply_code, ''), 'enhancedCode', nullif(m.reply_enhanced, ''),
                        'text', nullif(m.reply_text, '')) END,
    'reroute', CASE WHEN m.reroute_transport <> '' THEN
      json_build_object('transport', m.reroute_transport) END,
    'priority', nullif(m.priority, 0), 'starts', json_time(m.starts), 'ends', json_time(m.ends),
    'reason', m.reason, 'evidence', nullif(m.evidence, ''), 'revision', m.revision))::text;
END $$;
CREATE FUNCTION json_of(e exemptions) RETURNS text
LANGUAGE sql STABLE SET search_path = ipmit, pg_temp AS $$
  SELECT json_strip_nulls(json_build_object('target', e.target, 'reason', e.reason,
                                            'ends', json_time(e.ends), 'revision', e.revision))::text
$$;

-- What a program says about the changes of its transaction; empty for a person in psql.
CREATE FUNCTION said(setting text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT nullif(current_setting('ipmit.' || setting, true), '')
$$;

-- Called first in a transaction that changes something: takes the lock, so that what is read next stays
-- true, and notes who does it, why and when. Optional for people.
CREATE FUNCTION begin_change(who text, why text, at timestamptz, operation text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  PERFORM 1 FROM state FOR UPDATE;
  PERFORM set_config('ipmit.who', who, true), set_config('ipmit.why', why, true),
          set_config('ipmit.at', at::text, true), set_config('ipmit.operation', operation, true);
END $$;

CREATE FUNCTION lock_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  PERFORM 1 FROM state FOR UPDATE;
  RETURN NULL;
END $$;

CREATE FUNCTION announce_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
DECLARE
  newest bigint;
BEGIN
  UPDATE state SET revision = a.newest FROM (SELECT max(audit.revision) AS newest FROM audit) a
    WHERE state.revision < a.newest RETURNING state.revision INTO newest;
  IF newest IS NOT NULL THEN PERFORM pg_notify('ipmit', newest::text); END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION write_audit(revision bigint, operation text, kind text, subject text, before text,
                            after text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  INSERT INTO audit (revision, at, who, why, operation, kind, subject, before, after)
  VALUES (revision, coalesce(said('at')::timestamptz, clock_timestamp()),
          coalesce(said('who'), session_user), coalesce(said('why'), 'SQL'), operation, kind, subject,
          coalesce(before, ''), coalesce(after, ''));
END $$;

CREATE FUNCTION before_mitigation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.name <> OLD.name THEN
      RAISE EXCEPTION 'a mitigation keeps its name: delete it and add another';
    END IF;
    NEW.revision := OLD.revision;
    IF NEW IS NOT DISTINCT FROM OLD THEN RETURN NULL; END IF;
  END IF;
  NEW.targets := ARRAY(SELECT DISTINCT canonical_target(t) FROM unnest(NEW.targets) t ORDER BY 1);
  NEW.revision := nextval('revision');
  RETURN NEW;
END $$;

CREATE FUNCTION after_mitigation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM write_audit(NEW.revision, 'add', 'mitigation', NEW.name, '', json_of(NEW));
  ELSIF TG_OP = 'UPDATE' THEN
    PERFORM write_audit(NEW.revision, 'update', 'mitigation', NEW.name, json_of(OLD), json_of(NEW));
  ELSE
    PERFORM write_audit(nextval('revision'), coalesce(said('operation'), 'release'), 'mitigation',
                        OLD.name, json_of(OLD), '');
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM targets WHERE mitigation = NEW.name AND target <> ALL (NEW.targets);
  END IF;
  INSERT INTO targets SELECT NEW.name, unnest(NEW.targets) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE FUNCTION before_exemption() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  NEW.target := canonical_target(NEW.target);
  IF TG_OP = 'UPDATE' THEN
    IF NEW.target <> OLD.target THEN
      RAISE EXCEPTION 'an exemption keeps its target: delete it and add another';
    END IF;
    NEW.revision := OLD.revision;
    IF NEW IS NOT DISTINCT FROM OLD THEN RETURN NULL; END IF;
  END IF;
  NEW.revision := nextval('revision');
  RETURN NEW;
END $$;

CREATE FUNCTION after_exemption() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    PERFORM write_audit(nextval('revision'), coalesce(said('operation'), 'unexempt'), 'exemption',
                        OLD.target, json_of(OLD), '');
  ELSE
    PERFORM write_audit(NEW.revision, 'exempt', 'exemption', NEW.target,
                        CASE TG_OP WHEN 'UPDATE' THEN json_of(OLD) END, json_of(NEW));
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'TRUNCATE leaves no audit: use DELETE FROM %', TG_TABLE_NAME;
END $$;

CREATE TRIGGER a_lock BEFORE INSERT OR UPDATE OR DELETE ON mitigations
  FOR EACH STATEMENT EXECUTE FUNCTION lock_changes();
CREATE TRIGGER b_before BEFORE INSERT OR UPDATE ON mitigations
  FOR EACH ROW EXECUTE FUNCTION before_mitigation();
CREATE TRIGGER c_after AFTER INSERT OR UPDATE OR DELETE ON mitigations
  FOR EACH ROW EXECUTE FUNCTION after_mitigation();
CREATE TRIGGER d_announce AFTER INSERT OR UPDATE OR DELETE ON mitigations
  FOR EACH STATEMENT EXECUTE FUNCTION announce_changes();
CREATE TRIGGER e_truncate BEFORE TRUNCATE ON mitigations
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate();

CREATE TRIGGER a_lock BEFORE INSERT OR UPDATE OR DELETE ON exemptions
  FOR EACH STATEMENT EXECUTE FUNCTION lock_changes();
CREATE TRIGGER b_before BEFORE INSERT OR UPDATE ON exemptions
  FOR EACH ROW EXECUTE FUNCTION before_exemption();
CREATE TRIGGER c_after AFTER INSERT OR UPDATE OR DELETE ON exemptions
  FOR EACH ROW EXECUTE FUNCTION after_exemption();
CREATE TRIGGER d_announce AFTER INSERT OR UPDATE OR DELETE ON exemptions
  FOR EACH STATEMENT EXECUTE FUNCTION announce_changes();
CREATE TRIGGER e_truncate BEFORE TRUNCATE ON exemptions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate();

-- Which history the revisions of this server count. A failover or a restore to a point in time begins
-- another timeline, on which the same number may mean another change.
CREATE FUNCTION current_epoch() RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
  SELECT epoch || '-' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM state
$$;

-- After a dump was restored over a younger record: lets every reader load anew.
CREATE FUNCTION new_epoch() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = ipmit, pg_temp AS $$
  UPDATE state SET epoch = gen_random_uuid();
  SELECT pg_notify('ipmit', 'epoch');
$$;
