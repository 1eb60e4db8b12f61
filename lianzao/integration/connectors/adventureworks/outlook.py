"""The plan of an imported plant on its day: what is late and why, what is missing, where work waits."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from lianzao.access.queries import site_by_code
from lianzao.foundation import clock
from lianzao.foundation.actor import Actor
from lianzao.integration.connectors.adventureworks.loading import SITE, instant_of
from lianzao.planning import queries as planning
from lianzao.planning.commands import plan_site
from lianzao.planning.deciding import said
from lianzao.planning.models import PlanRun
from lianzao.plant import queries as plant
from lianzao.sales.queries import open_lines

#: Load of work centers is told for so long from the day on.
WINDOW = timedelta(weeks=4)


@dataclass(frozen=True)
class Late:
    """An order line that comes after its day. `reasons`: as planning gave them, what took longest first."""

    number: str
    item: str
    quantity: Decimal
    due_on: date
    projected_at: datetime | None
    days: int
    reasons: list[dict[str, Any]]

    @property
    def main(self) -> str:
        """The kind of reason that took longest."""
        return str(self.reasons[0]["reason"]) if self.reasons else ""


@dataclass(frozen=True)
class Missing:
    """An item that comes too late for orders that need it."""

    item: str
    orders: int
    quantity: Decimal
    days: int | None


@dataclass(frozen=True)
class Load:
    """A work center in the weeks after the day: planned work against open hours of all its places."""

    work_center: str
    hours: float
    open_hours: float

    @property
    def percent(self) -> float:
        """Share of the open hours that is planned."""
        return 100 * self.hours / self.open_hours if self.open_hours else 0.0


@dataclass
class Outlook:
    """A plan in short."""

    run: PlanRun
    open_lines: int
    late: list[Late] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)

    def told(self, language: str, most: int = 20) -> Iterator[str]:
        """The plan in lines: figures, then the worst late orders with reasons, shortages and loads."""
        zh = language.startswith("zh")
        run = self.run
        yield (
            f"计划 {run.number}：需求 {run.demands}，延期 {len(self.late)}，计划订单 {run.proposals}，"
            f"缺料 {run.shortages}（{len(self.missing)} 种物料），{run.milliseconds} 毫秒"
            if zh
            else f"plan {run.number}: {run.demands} demands, {len(self.late)} late, {run.proposals} planned orders,"
            f" {run.shortages} shortages of {len(self.missing)} items, {run.milliseconds} ms"
        )
        for reason, count in Counter(each.main for each in self.late).most_common():
            yield f"  {count} × {reason}"
        for late in self.late[:most]:
            why = "; ".join(said(reason, language) for reason in late.reasons[:3])
            yield f"  {late.number} {late.item} × {late.quantity:f}, {late.due_on} +{late.days} d: {why}"
        for missing in self.missing[:most]:
            days = "-" if missing.days is None else f"+{missing.days} d"
            yield f"  {missing.item}: {missing.orders} × , {missing.quantity:f}, {days}"
        for load in self.loads:
            yield f"  {load.work_center}: {load.hours:.0f} / {load.open_hours:.0f} h = {load.percent:.0f} %"


def plan_folder(by: Actor, as_of: date) -> Outlook:
    """Plan the imported plant at the beginning of the day, and say what the plan holds. NotFound before the import."""
    site = site_by_code(SITE)
    now = instant_of(as_of)
    with clock.frozen(now):
        run = plan_site(dataclasses.replace(by, site=site.id), site=site, why=f"AdventureWorks {as_of}")
        return outlook_of(site.id, run, now)


def outlook_of(site_id: UUID, run: PlanRun, now: datetime) -> Outlook:
    """What the plan that stands says of a site's open order lines."""
    lines = {row["line_id"]: row for row in open_lines(site_id)}
    found = Outlook(run, len(lines))
    for id, each in planning.outlooks_of(list(lines)).items():
        if each.late_minutes > 0:
            row = lines[id]
            found.late.append(
                Late(
                    f"{row['number']}/{row['sequence']}", each.item.code, each.quantity.normalize(),
                    row["promised_on"] or row["requested_on"], each.projected_at, -(-each.late_minutes // 1440),
                    sorted(each.reasons, key=lambda reason: -(reason.get("minutes") or 0)),
                )
            )  # fmt: skip
    found.late.sort(key=lambda late: (-late.days, late.number))
    found.missing = _missing(site_id)
    found.loads = _loads(site_id, now)
    return found


def _missing(site_id: UUID) -> list[Missing]:
    rows: dict[str, list[Any]] = {}
    for each in planning.shortages(site_id):
        rows.setdefault(f"{each.item.code} {each.item.name}", []).append(each)
    told: list[Missing] = []
    for item, each in rows.items():
        days = [None if one.ready_at is None else (one.ready_at - one.need_at).days for one in each]
        worst = None if None in days else max(day for day in days if day is not None)
        told.append(Missing(item, len(each), sum((one.quantity for one in each), Decimal(0)).normalize(), worst))
    return sorted(told, key=lambda missing: (-missing.orders, missing.item))


def _loads(site_id: UUID, now: datetime) -> list[Load]:
    """Work planned in the window, by work center, the fullest first."""
    until = now + WINDOW
    columns = plant.work_center_columns(site_id)
    intervals = plant.working_intervals(columns["work_center_id"], now, until)
    minutes: dict[UUID, float] = {}
    for row in planning.schedule(site_id, now, until):
        if row["work_center_id"] is not None:
            minutes[row["work_center_id"]] = minutes.get(row["work_center_id"], 0.0) + _inside(row, now, until)
    loads = []
    for id, code, name, capacity in zip(
        columns["work_center_id"], columns["code"], columns["name_en"], columns["capacity"], strict=True
    ):
        spans = intervals.get(id)
        hours = zip(spans.starts, spans.ends, strict=True) if spans else ()
        seconds = sum(int(end) - int(start) for start, end in hours)
        loads.append(Load(f"{code} {name}", minutes.get(id, 0.0) / 60, seconds / 3600 * int(capacity)))
    return sorted(loads, key=lambda load: -load.percent)


def _inside(row: dict[str, Any], now: datetime, until: datetime) -> float:
    """The part of an operation's work that falls into the window, spread evenly over its time."""
    whole = (row["finish_at"] - row["start_at"]).total_seconds()
    part = (min(row["finish_at"], until) - max(row["start_at"], now)).total_seconds()
    return float(row["work_minutes"]) * (part / whole if whole else 1.0)
