# What is due is taken by a function that reads it in the order of its index.

from django.db import migrations

from lianzao.foundation import outbox


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0006_two_at_once_begin_a_sequence"),
    ]

    operations = [migrations.RunSQL(outbox.SQL, "DROP FUNCTION lianzao_take_due")]
