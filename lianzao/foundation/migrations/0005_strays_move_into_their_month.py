# The function that makes the months to come learns what to do with rows that a wrong clock wrote into one of them.

from django.db import migrations

from lianzao.foundation import partitions


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0004_deliveries_are_found_by_when_they_are_due"),
    ]

    operations = [migrations.RunSQL(partitions.SQL, migrations.RunSQL.noop)]
