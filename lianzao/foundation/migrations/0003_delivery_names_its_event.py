# The column stays as it is: only the model knows now that it names an event, and that a delivery may be dropped.

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0002_jobs"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex(model_name="delivery", name="delivery_by_event"),
                migrations.RemoveField(model_name="delivery", name="event_id"),
                migrations.AddField(
                    model_name="delivery",
                    name="event",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="foundation.eventrow",
                    ),
                    preserve_default=False,
                ),
                migrations.AddIndex(
                    model_name="delivery",
                    index=models.Index(fields=["event"], name="delivery_by_event"),
                ),
            ]
        ),
        migrations.AlterField(
            model_name="delivery",
            name="status",
            field=models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("done", "Done"),
                    ("parked", "Parked"),
                    ("dropped", "Dropped"),
                ],
                default="pending",
                max_length=8,
            ),
        ),
    ]
