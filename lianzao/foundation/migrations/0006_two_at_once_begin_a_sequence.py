# The function that numbers documents learns what to do when two want the first number of a period at once.

from django.db import migrations

from lianzao.foundation import numbering


class Migration(migrations.Migration):
    dependencies = [
        ("foundation", "0005_strays_move_into_their_month"),
    ]

    operations = [migrations.RunSQL(numbering.SQL, migrations.RunSQL.noop)]
