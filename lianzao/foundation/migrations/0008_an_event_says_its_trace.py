# Where traces are asked for, an event says what wrote it, so that its deliveries stand in the same trace.

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0007_what_is_due_is_read_in_order"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE foundation_event ADD COLUMN traceparent varchar(55)",
            "ALTER TABLE foundation_event DROP COLUMN traceparent",
        )
    ]
