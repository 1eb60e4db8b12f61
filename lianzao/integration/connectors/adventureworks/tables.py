"""The tables of a folder: CSV, plain or packed with gzip, read as text with the number of each row in its file."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lianzao.values.errors import Invalid

Cells = Mapping[str, str]


@dataclass(frozen=True)
class Row:
    """A row as it stands in the file; `number` counts its lines, the heading being the first."""

    number: int
    cells: Cells

    def __getitem__(self, name: str) -> str:
        return self.cells[name]

    def day(self, name: str) -> str:
        """The day of a cell as ISO text (which sorts as days do), or nothing."""
        return self.cells[name][:10]

    def also(self, **more: str) -> Row:
        """The row with further columns worked out from it."""
        return Row(self.number, {**self.cells, **more})


def read(folder: Path, name: str) -> list[Row]:
    """A table of the folder. Raises Invalid naming the file that is missing or cannot be read."""
    plain, packed = folder / f"{name}.csv", folder / f"{name}.csv.gz"
    if not plain.exists() and not packed.exists():
        raise Invalid("no_such_file", field="folder", file=f"{name}.csv")
    try:
        text = plain.read_text("utf-8") if plain.exists() else gzip.decompress(packed.read_bytes()).decode("utf-8")
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise Invalid("file_damaged", field="folder", reason=f"{name}: {error}") from error
    rows = csv.reader(io.StringIO(text, newline=""))
    headings = next(rows, [])
    return [Row(number, dict(zip(headings, cells, strict=False))) for number, cells in enumerate(rows, 2) if any(cells)]


def written(rows: Sequence[Row], headings: Iterable[str]) -> bytes:
    """Rows as CSV again, with the columns an import uses."""
    names = list(headings)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([row.cells.get(name, "") for name in names] for row in rows)
    return text.getvalue().encode()
