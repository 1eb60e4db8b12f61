"""AdventureWorks: the bicycle factory Microsoft wrote as a sample, taken over as it stood at the beginning of a day.

`mappings/` say which heading is which field, `routings.json` how goods are made, `reasons.json` why rows are left out;
`masters.py` and `orders.py` find those rows, `loading.py` brings the rest in; a second time nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from lianzao.foundation.actor import Actor

__all__ = ["load"]


def load(
    by: Actor, folder: Path, *, as_of: date | None = None, dry_run: bool = False, say: Callable[[str], object] = print
) -> bool:
    """Take over a folder of AdventureWorks tables; a dry run does everything and takes it back.

    `as_of`: the plant's day; what is dated on it or later has not happened yet. Says what became of each file and, row
    by row, what was left out and why. Returns whether a file could not be taken.
    """
    from lianzao.integration.connectors.adventureworks.loading import import_folder
    from lianzao.integration.connectors.adventureworks.outlook import plan_folder
    from lianzao.values.errors import Invalid

    if as_of is None:
        raise Invalid("field_missing", field="as_of")
    report = import_folder(by, folder, as_of=as_of, dry_run=dry_run)
    for line in report.told(by.language, rows=dry_run):
        say(line)
    if not dry_run and report.created + report.changed:
        for line in plan_folder(by, as_of).told(by.language):
            say(line)
    return report.failed
