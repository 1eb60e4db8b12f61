"""A stop that was told wrongly is taken back and told anew; what was taken back overlaps nothing."""

import django.db.models.deletion
from django.db import migrations, models

TRIGGER = """
CREATE OR REPLACE FUNCTION equipment_state_alone() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('machine:' || NEW.machine_id, 0));
    IF NEW.reversed_at IS NULL AND EXISTS (
        SELECT 1 FROM equipment_machine_state s
        WHERE s.machine_id = NEW.machine_id AND s.id <> NEW.id AND s.reversed_at IS NULL
          AND tstzrange(s.began_at, s.ended_at) && tstzrange(NEW.began_at, NEW.ended_at)
    ) THEN
        RAISE EXCEPTION 'states of machine % overlap', NEW.machine_id USING ERRCODE = 'exclusion_violation';
    END IF;
    RETURN NULL;
END
$body$;
DROP TRIGGER equipment_state_alone ON equipment_machine_state;
CREATE CONSTRAINT TRIGGER equipment_state_alone AFTER INSERT OR UPDATE OF began_at, ended_at, reversed_at
    ON equipment_machine_state FOR EACH ROW EXECUTE FUNCTION equipment_state_alone();
"""
UNDO = """
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
DROP TRIGGER equipment_state_alone ON equipment_machine_state;
CREATE CONSTRAINT TRIGGER equipment_state_alone AFTER INSERT OR UPDATE OF began_at, ended_at ON equipment_machine_state
    FOR EACH ROW EXECUTE FUNCTION equipment_state_alone();
"""


class Migration(migrations.Migration):
    dependencies = [("equipment", "0002_no_overlap")]

    operations = [
        migrations.AddField("machinestate", "reversed_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("machinestate", "reversed_by", models.UUIDField(blank=True, null=True)),
        migrations.AddField(
            "machinestate",
            "replaces",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="equipment.machinestate",
            ),
        ),
        migrations.RemoveConstraint("machinestate", "equipment_state_one_open"),
        migrations.AddConstraint(
            "machinestate",
            models.UniqueConstraint(
                condition=models.Q(("ended_at", None), ("reversed_at", None)),
                fields=("machine",),
                name="equipment_state_one_open",
            ),
        ),
        migrations.RunSQL(TRIGGER, UNDO),
    ]
