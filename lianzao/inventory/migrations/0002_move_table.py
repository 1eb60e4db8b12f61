"""The append-only table of moves, partitioned by the month inside its ids."""

from django.db import migrations

from lianzao.foundation import partitions

TABLE = """
CREATE TABLE inventory_move (
    id uuid PRIMARY KEY,
    site_id uuid NOT NULL,
    item_id uuid NOT NULL,
    lot_id uuid,
    quantity numeric(20,6) NOT NULL CONSTRAINT inventory_move_positive CHECK (quantity > 0),
    source_id uuid NOT NULL,
    target_id uuid NOT NULL CONSTRAINT inventory_move_goes CHECK (target_id <> source_id),
    value numeric(20,6) NOT NULL,
    happened_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    cause_kind varchar(80) NOT NULL,
    cause_id uuid NOT NULL,
    order_id uuid NOT NULL,
    reverses uuid
) PARTITION BY RANGE (id);
CREATE INDEX inventory_move_by_cause ON inventory_move (cause_id);
CREATE INDEX inventory_move_by_lot ON inventory_move (lot_id) WHERE lot_id IS NOT NULL;
CREATE INDEX inventory_move_by_item ON inventory_move (item_id, happened_at);
CREATE INDEX inventory_move_by_time ON inventory_move (site_id, happened_at);
SELECT lianzao_ensure_partitions('inventory_move', 3);
-- Balances change all the time and none of their indexes holds the quantity: room for updates in place.
ALTER TABLE inventory_balance SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_tables"), ("foundation", "0001_ground")]

    operations = [
        migrations.RunSQL(TABLE, "DROP TABLE inventory_move"),
        migrations.RunSQL(partitions.guard("inventory_move"), migrations.RunSQL.noop),
    ]
