"""Why a line is late, as people tell it."""

from __future__ import annotations

from typing import Any

from lianzao.planning.rules import told_in_order


def reason(kind: str, until: str | None) -> dict[str, Any]:
    return {"reason": kind, "until_at": until}


MATERIAL = reason("material", "2026-12-03T02:00:00+00:00")
DRIVE = reason("manufacturing_lead_time", "2026-12-04T02:00:00+00:00")
INVERTER = reason("manufacturing_lead_time", "2026-12-03T07:30:00+00:00")
TAKEN = reason("capacity", "2026-12-09T02:00:00+00:00")


def test_news_comes_first_then_the_steps_in_the_order_of_time() -> None:
    assert told_in_order([], [DRIVE, MATERIAL, INVERTER]) == [MATERIAL, INVERTER, DRIVE]


def test_a_stop_that_is_over_before_the_material_comes_is_no_reason() -> None:
    short = reason("machine_down", "2026-11-23T05:00:00+00:00")
    assert told_in_order([short], [DRIVE, MATERIAL]) == [MATERIAL, DRIVE]
    endless = reason("short_for_ever", None)
    assert told_in_order([short], [endless]) == [endless]


def test_a_stop_that_lasts_longest_is_told_first_also_when_the_center_is_taken_after_it() -> None:
    long = reason("machine_down", "2026-12-05T05:00:00+00:00")
    assert told_in_order([long], [TAKEN, MATERIAL, DRIVE]) == [long, TAKEN, MATERIAL, DRIVE]
