"""Working time equals what somebody would find who walks through it minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lianzao.plant.rules import (
    ExceptionSpan,
    ShiftTime,
    in_order,
    merged,
    shift_spans,
    shifts_overlap,
    wall_instant,
    with_exceptions,
)

BERLIN, SHANGHAI, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
MINUTE = 60


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def walked(
    shifts: list[ShiftTime], levels: list[list[ExceptionSpan]], zone: ZoneInfo, from_s: int, until_s: int
) -> list[int]:
    """The working minutes, found by looking at the wall clock every minute from three days before."""
    # Each occurrence of a shift is a latch: on once the wall has shown its beginning, off once it has shown its end.
    begun_from = from_s - 3 * 86400
    occurrences: list[tuple[datetime, datetime]] = []
    day = datetime.fromtimestamp(begun_from, zone).date()
    while day <= datetime.fromtimestamp(until_s, zone).date():
        for shift in shifts:
            if shift.weekday == day.weekday():
                ends_on = day if shift.ends_at > shift.starts_at else day + timedelta(days=1)
                occurrences.append((datetime.combine(day, shift.starts_at), datetime.combine(ends_on, shift.ends_at)))
        day += timedelta(days=1)
    shown = datetime.min
    found = []
    for minute in range(begun_from - begun_from % MINUTE, until_s, MINUTE):
        shown = max(shown, datetime.fromtimestamp(minute, zone).replace(tzinfo=None))
        working = any(start <= shown < end for start, end in occurrences)
        for level in levels:
            for exception in in_order(level):
                if exception.starts_at.timestamp() <= minute < exception.ends_at.timestamp():
                    working = exception.working
        if working and minute >= from_s:
            found.append(minute)
    return found


times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
shift_lists = st.lists(st.builds(ShiftTime, st.integers(0, 6), times, times), max_size=5)
# Around the nights the clocks change in Berlin and New York in 2026, and an ordinary week.
weeks = st.sampled_from(["2026-03-27", "2026-10-23", "2026-03-06", "2026-10-30", "2026-06-01"])


def exceptions_near(week: str) -> st.SearchStrategy[list[ExceptionSpan]]:
    base = datetime.fromisoformat(week).replace(tzinfo=UTC)
    start = st.integers(0, 4 * 24 * 4).map(lambda quarter: base + timedelta(minutes=15 * quarter))
    length = st.integers(1, 150).map(lambda quarter: timedelta(minutes=15 * quarter))
    return st.lists(
        st.builds(lambda at, long, working: ExceptionSpan(at, at + long, working), start, length, st.booleans()),
        max_size=4,
    )


@settings(max_examples=40, deadline=None)
@given(st.data(), shift_lists, weeks, st.sampled_from([BERLIN, SHANGHAI, NEW_YORK]))
def test_intervals_equal_a_minute_walk(data: st.DataObject, shifts: list[ShiftTime], week: str, zone: ZoneInfo) -> None:
    from_s = seconds(week) + 60 * data.draw(st.integers(0, 1440))
    until_s = from_s + 60 * data.draw(st.integers(0, 4 * 1440))
    levels = [data.draw(exceptions_near(week)), data.draw(exceptions_near(week))]
    spans = shift_spans(shifts, zone, from_s, until_s)
    for level in levels:
        spans = with_exceptions(spans, level, from_s, until_s)
    assert spans == merged(spans)
    minutes = [minute for start, end in spans for minute in range(start, end, MINUTE)]
    assert minutes == walked(shifts, levels, zone, from_s, until_s)


NIGHT = [ShiftTime(5, time(22), time(6))]  # Saturday to Sunday


@pytest.mark.parametrize(
    ("saturday", "hours"),
    [("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-06", 8)],
    ids=["forward", "back", "ordinary"],
)
def test_a_night_shift_when_the_clocks_change(saturday: str, hours: int) -> None:
    from_s = seconds(saturday)
    spans = shift_spans(NIGHT, BERLIN, from_s, from_s + 3 * 86400)
    assert [end - start for start, end in spans] == [hours * 3600]


def test_a_skipped_time_is_the_instant_of_the_jump() -> None:
    jump = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert wall_instant(date(2026, 3, 29), time(2, 30), BERLIN) == jump
    assert wall_instant(date(2026, 3, 29), time(2, 0), BERLIN) == jump
    assert wall_instant(date(2026, 3, 29), time(3, 0), BERLIN) == jump


def test_a_time_that_comes_twice_is_the_first() -> None:
    assert wall_instant(date(2026, 10, 25), time(2, 30), BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_shift_over_midnight_reaches_into_the_window() -> None:
    spans = shift_spans(NIGHT, SHANGHAI, seconds("2026-06-06T18:00"), seconds("2026-06-07T18:00"))
    assert spans == [(seconds("2026-06-06T18:00"), seconds("2026-06-06T22:00"))]


def test_round_the_clock_is_one_span() -> None:
    always = [ShiftTime(day, time(0), time(0)) for day in range(7)]
    from_s, until_s = seconds("2026-03-20"), seconds("2026-04-05")
    assert shift_spans(always, BERLIN, from_s, until_s) == [(from_s, until_s)]


def test_extra_work_inside_a_holiday_and_a_power_cut_inside_it() -> None:
    at = datetime(2026, 10, 1, tzinfo=UTC)
    holiday = ExceptionSpan(at, at + timedelta(days=7), working=False)
    extra = ExceptionSpan(at + timedelta(days=4), at + timedelta(days=4, hours=8), working=True)
    cut = ExceptionSpan(at + timedelta(days=4, hours=2), at + timedelta(days=4, hours=3), working=False)
    start = int(at.timestamp())
    for order in ([holiday, extra, cut], [cut, extra, holiday]):
        found = with_exceptions([(start, start + 7 * 86400)], order, start, start + 7 * 86400)
        begin = start + 4 * 86400
        assert found == [(begin, begin + 7200), (begin + 10800, begin + 8 * 3600)]


def test_overlapping_shifts_are_named() -> None:
    sunday = ShiftTime(6, time(22), time(6))
    monday = ShiftTime(0, time(5), time(13))
    assert set(shifts_overlap([monday, sunday]) or ()) == {monday, sunday}
    assert shifts_overlap([ShiftTime(0, time(6), time(14)), sunday]) is None
