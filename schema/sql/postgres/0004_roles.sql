-- SPDX-License-Identifier: Apache-2.0
-- Roles are groups: GRANT ipmit_controller TO the login of the controller, and so on. They belong to the
-- whole server, so another database may have made them already. Whoever runs the steps owns the tables.
SET LOCAL search_path = ipmit;

DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['ipmit_milter', 'ipmit_detector', 'ipmit_controller', 'ipmit_operator',
                              'ipmit_readonly'] LOOP
    BEGIN
      IF to_regrole(role) IS NULL THEN EXECUTE format('CREATE ROLE %I NOLOGIN', role); END IF;
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END LOOP;
END $$;

-- ipmit_milter stays without any right: milters read Redis.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ipmit FROM PUBLIC;
GRANT USAGE ON SCHEMA ipmit TO ipmit_detector, ipmit_controller, ipmit_operator, ipmit_readonly;
GRANT SELECT ON schema_version, state, mitigations, targets, exemptions, hold_offs, hits, audit, findings,
  evidence, delivery_statistics
  TO ipmit_detector, ipmit_controller, ipmit_operator, ipmit_readonly;
GRANT EXECUTE ON FUNCTION current_epoch(), canonical_target(text), json_list(text[]),
  json_time(timestamptz), json_of(mitigations), json_of(exemptions), statistics_partition(date)
  TO ipmit_detector, ipmit_controller, ipmit_operator, ipmit_readonly;

GRANT EXECUTE ON FUNCTION begin_change(text, text, timestamptz, text)
  TO ipmit_detector, ipmit_controller, ipmit_operator;
GRANT INSERT, UPDATE, DELETE ON mitigations TO ipmit_detector, ipmit_controller, ipmit_operator;
GRANT INSERT, UPDATE, DELETE ON exemptions, hold_offs TO ipmit_controller, ipmit_operator;
GRANT INSERT, UPDATE ON hits TO ipmit_controller;
GRANT EXECUTE ON FUNCTION apply_retention(interval, interval, interval, interval) TO ipmit_controller;
GRANT EXECUTE ON FUNCTION new_epoch() TO ipmit_operator;

GRANT INSERT, UPDATE ON findings, dead_recipient_fingerprints TO ipmit_detector;
GRANT INSERT ON evidence TO ipmit_detector;
GRANT SELECT ON trap_fingerprints, dead_recipient_fingerprints TO ipmit_detector;
GRANT EXECUTE ON FUNCTION add_statistics(date, text, text, bigint), make_statistics_partition(date)
  TO ipmit_detector;
GRANT SELECT, INSERT, DELETE ON trap_fingerprints TO ipmit_operator;

-- A detector that went wrong, or whoever took it over, must not undo what people decided.
ALTER TABLE mitigations ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON mitigations FOR SELECT USING (true);
CREATE POLICY write ON mitigations TO ipmit_controller, ipmit_operator USING (true) WITH CHECK (true);
CREATE POLICY write_own ON mitigations TO ipmit_detector
  USING (origin = 'Detector') WITH CHECK (origin = 'Detector');
