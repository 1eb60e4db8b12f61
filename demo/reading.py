"""The files of demo/data as rows, and the plant's calendar: data count days from the opening Monday."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

DATA = Path(__file__).with_name("data")


def table(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file of demo/data."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def document(name: str) -> dict[str, Any]:
    """A JSON file of demo/data."""
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def grouped(rows: list[dict[str, str]], key: str) -> dict[str, list[dict[str, str]]]:
    """Rows that belong together, in the order of the file."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


@dataclass(frozen=True)
class Days:
    """Days counted from the plant's opening day (a Monday), in the site's zone."""

    opening: date
    zone: ZoneInfo

    @classmethod
    def around(cls, start: datetime, zone: str) -> Days:
        """The opening day is the Monday of the week in which `start` lies."""
        local = start.astimezone(ZoneInfo(zone)).date()
        return cls(local - timedelta(days=local.weekday()), ZoneInfo(zone))

    def day(self, number: int | str) -> date:
        """The date of a day."""
        return self.opening + timedelta(days=int(number))

    def at(self, number: int | str, clock: str = "08:00") -> datetime:
        """An instant of a day by the clock on the wall."""
        return datetime.combine(self.day(number), time.fromisoformat(clock), self.zone)

    def moment(self, said: str) -> datetime:
        """An instant written as "7 10:00"."""
        number, _, clock = said.partition(" ")
        return self.at(number, clock or "08:00")
