"""No two states of one machine at the same time, whoever writes them."""

from django.db import migrations

TRIGGER = """
CREATE OR REPLACE FUNCTION equipment_state_alone() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('machine:' || NEW.machine_id, 0));
    IF EXISTS (
        SELECT 1 FROM equipment_machine_state s
        WHERE s.machine_id = NEW.machine_id AND s.id <> NEW.id
          AND tstzrange(s.began_at, s.ended_at) && tstzrange(NEW.began_at, NEW.ended_at)
    ) THEN
        RAISE EXCEPTION 'states of machine % overlap', NEW.machine_id USING ERRCODE = 'exclusion_violation';
    END IF;
    RETURN NULL;
END
$body$;
CREATE CONSTRAINT TRIGGER equipment_state_alone AFTER INSERT OR UPDATE OF began_at, ended_at ON equipment_machine_state
    FOR EACH ROW EXECUTE FUNCTION equipment_state_alone();
"""
UNDO = """
DROP TRIGGER equipment_state_alone ON equipment_machine_state;
DROP FUNCTION equipment_state_alone();
"""


class Migration(migrations.Migration):
    dependencies = [("equipment", "0001_tables")]

    operations = [migrations.RunSQL(TRIGGER, UNDO)]
