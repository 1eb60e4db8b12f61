# Where traces are asked for, an event says what wrote it, so that its deliveries stand in the same trace.

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0009_print_layouts"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE foundation_event ADD COLUMN traceparent varchar(55)",
            "ALTER TABLE foundation_event DROP COLUMN traceparent",
        )
    ]
