# What is due is found in its order by an index of its own; the index by key holds only what has a key, so that the
# planner is not tempted to find all that is due by it and to sort the whole backlog for each taking.

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0003_delivery_names_its_event"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="delivery", name="delivery_due"),
        migrations.RemoveIndex(model_name="delivery", name="delivery_by_key"),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(condition=models.Q(("status", "pending")), fields=["due_at", "id"], name="delivery_due"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("status", "pending"), models.Q(("key", ""), _negated=True)),
                fields=["subscriber", "key"],
                name="delivery_by_key",
            ),
        ),
    ]
