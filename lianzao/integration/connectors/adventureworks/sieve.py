"""What rows of one file are taken, and why the others are not. Pure: rows in, rows and findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation

from lianzao.integration.connectors.adventureworks.report import Finding
from lianzao.integration.connectors.adventureworks.tables import Row


class Sieve:
    """Collects the findings about one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.rejected: list[Finding] = []
        self.remarks: list[Finding] = []

    def refuse(self, row: Row, code: str, **facts: object) -> None:
        """Leave a row out."""
        self.rejected.append(Finding(self.file, row.number, code, {name: str(value) for name, value in facts.items()}))

    def remark(self, row: Row, code: str, **facts: object) -> None:
        """Take a row, but tell what is odd about it."""
        self.remarks.append(Finding(self.file, row.number, code, {name: str(value) for name, value in facts.items()}))

    def once(self, rows: Iterable[Row], key: Callable[[Row], object]) -> Iterator[Row]:
        """The rows without those whose key stood on a row before."""
        seen: dict[object, int] = {}
        for row in rows:
            name = key(row)
            if name in seen:
                self.refuse(row, "row_twice", other=seen[name])
            else:
                seen[name] = row.number
                yield row

    def numbers(self, row: Row, *names: str) -> list[Decimal] | None:
        """Cells as numbers, empty ones as zero; None, and the row left out, if one cannot be read."""
        found: list[Decimal] = []
        for name in names:
            try:
                value = Decimal(row[name] or "0")
            except InvalidOperation:
                value = Decimal("NaN")
            if not value.is_finite():
                self.refuse(row, "number_unreadable", field=name, value=row[name])
                return None
            found.append(value)
        return found
