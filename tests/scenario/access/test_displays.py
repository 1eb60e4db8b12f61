"""Wall displays: let in by a link, once; they read their screens only; cut off, expired, unknown alike."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from lianzao.access import commands, queries, rules
from lianzao.access.models import Display
from lianzao.foundation import clock
from lianzao.foundation.audit import Order
from lianzao.foundation.hearing import Ear, News
from lianzao.foundation.outbox import EventRow
from lianzao.values.errors import Conflict, Invalid, NotAllowed
from lianzao.values.time import uuid7
from tests.scenario.access.conftest import Browser, Door


def hung(door: Door, **options: Any) -> Display:
    """A display in Suzhou that shows both screens."""
    wanted = {"code": "HALL", "name": "总装", "site": door.suzhou, "screens": ["order_progress", "plan_load"]}
    return commands.register_display(door.by("root"), **(wanted | options))


def linked(door: Door, display: Display) -> str:
    """The code an administrator's page shows."""
    answer = door.log_in("root").post("access/new_display_link", {"display": str(display.id)})
    assert answer.status_code == 200, answer.content
    return answer.json()["code"]


def opened(door: Door, display: Display) -> Client:
    """A television that used the link."""
    answer = Browser(Client()).post("access/open_display", {"code": linked(door, display)})
    assert answer.status_code == 200, answer.content
    return Client(headers={"Authorization": f"Bearer {answer.json()['key']}"})


def test_a_link_makes_a_browser_a_display_once_and_its_key_is_kept_nowhere(door: Door) -> None:
    display = hung(door, dwell_seconds=20, language="en", name_en="Hall")
    code = linked(door, display)
    tv = Browser(Client())
    typed = f"{code[:5].lower()}-{code[5:]} "
    key = tv.post("access/open_display", {"code": typed}).json()["key"]
    shown = tv.get("access/this_display", HTTP_AUTHORIZATION=f"Bearer {key}").json()
    assert (shown["name"], shown["screens"], shown["dwell_seconds"], shown["language"], shown["theme"]) == (
        "Hall", ["order_progress", "plan_load"], 20, "en", "dark",
    )  # fmt: skip
    assert shown["time_zone"] == "Asia/Shanghai" and shown["site_id"] == str(door.suzhou.id)
    again = Browser(Client()).post("access/open_display", {"code": code})
    assert (again.status_code, again.json()["code"]) == (401, "link_unknown")
    kept = str(list(Order.objects.values_list("body", "answer", "changes")))
    assert key not in kept and code not in kept
    row = door.log_in("root").get("access/display").json()["rows"][0]
    assert "key_digest" not in row and row["seen_at"] and row["opened_at"]


def test_a_second_browser_takes_the_place_of_the_first(door: Door) -> None:
    display = hung(door)
    first = opened(door, display)
    second = opened(door, Display.objects.get())
    assert first.get("/api/access/this_display").status_code == 401
    assert second.get("/api/access/this_display").status_code == 200


def test_cut_off_retired_expired_and_unknown_displays_are_told_the_same(door: Door, later: Any) -> None:
    display = hung(door, expires_at=clock.real_now() + timedelta(days=2))
    tv, path = opened(door, display), "/api/overviews/screen/order_progress"
    assert tv.get(path).status_code == 200
    later("access_display.expires_at", "3 days")
    answers = [tv.get(path)]
    commands.change_display(
        door.by("root"), display=Display.objects.get(), expires_at=clock.real_now() + timedelta(days=9)
    )
    assert tv.get(path).status_code == 200
    commands.revoke_display(door.by("root"), display=Display.objects.get())
    answers.append(tv.get(path))
    with pytest.raises(Conflict, match="already_revoked"):
        commands.revoke_display(door.by("root"), display=Display.objects.get())
    tv = opened(door, Display.objects.get())
    assert tv.get(path).status_code == 200
    commands.retire_display(door.by("root"), display=Display.objects.get())
    answers += [tv.get(path), Client(headers={"Authorization": "Bearer lzd_nothing"}).get(path)]
    told = [{name: value for name, value in each.json().items() if name != "trace_id"} for each in answers]
    assert [each.status_code for each in answers] == [401] * 4 and all(each == told[0] for each in told)
    assert EventRow.objects.filter(name="access.DisplayChanged", payload__reason="revoked").count() == 1


def test_a_link_is_good_for_half_an_hour_and_guessing_is_slow(door: Door, later: Any) -> None:
    code = linked(door, hung(door))
    later("access_display.link_until", "31 minutes")
    assert Browser(Client()).post("access/open_display", {"code": code}).status_code == 401
    tried = [Browser(Client()).post("access/open_display", {"code": f"GUESS{n:05}"}).status_code for n in range(25)]
    assert tried.count(401) < 25 and tried[-1] == 423
    assert len(code) == rules.LINK_LENGTH and not set(code) - set(rules.LINK_LETTERS)


def test_a_display_shows_only_what_its_maker_may_see_and_for_as_long_as_people_need_to_read(door: Door) -> None:
    with pytest.raises(Invalid, match="screen_unknown"):
        hung(door, screens=["payroll"])
    with pytest.raises(Invalid, match="field_missing"):
        hung(door, screens=[])
    with pytest.raises(Invalid, match="dwell_out_of_range"):
        hung(door, dwell_seconds=2)
    with pytest.raises(Invalid, match="display_expiry"):
        hung(door, expires_at=clock.real_now() - timedelta(minutes=1))
    commands.create_role(door.by("root"), code="walls", name="大屏", rights=["access.*", "overviews.view_plan_load"])
    door.person("wei", "walls")
    with pytest.raises(NotAllowed, match="right_not_held"):
        commands.register_display(
            door.by("wei"), code="X", name="X", site=door.suzhou, screens=["plan_load", "order_progress"]
        )
    made = commands.register_display(door.by("wei"), code="X", name="X", site=door.suzhou, screens=["plan_load"])
    tv = opened(door, made)
    assert tv.get("/api/overviews/screen/plan_load").status_code == 200
    assert tv.get("/api/overviews/screen/order_progress").status_code == 403
    assert tv.get("/api/overviews/screen/plan_load", {"site": str(door.wuhan.id)}).status_code == 404
    assert tv.get("/api/access/me").status_code == 403
    assert tv.get("/api/access/site").status_code == 403


def test_a_display_hears_that_something_happened_at_its_site_and_not_what(door: Door) -> None:
    tv = opened(door, hung(door, screens=["plan_load"]))
    by = queries.actor_by(authorization=tv.defaults["HTTP_AUTHORIZATION"])
    assert by is not None and by.kind == "device"
    ear = Ear(by)

    def told(event: str, site: Any, **payload: Any) -> News:
        topics = (event, f"work_order:{uuid7()}")
        return News(uuid7(), event, clock.real_now(), site, payload, 1, "1:", topics)

    here = told("production.OperationReported", door.suzhou.id, work_order_id="WO-77", good="12")
    assert ear.hears(here)
    frame = ear.frame(here).decode()
    assert "production.OperationReported" in frame and "WO-77" not in frame and "work_order" not in frame
    assert not ear.hears(told("production.OperationReported", door.wuhan.id))
    assert not ear.hears(told("production.OperationReported", None))
    assert not ear.hears(told("sales.OrderConfirmed", door.suzhou.id))
    assert not ear.hears(told("foundation.RecordChanged", door.suzhou.id, kind="production.work_order"))
    assert ear.may_ask("production.OperationReported") and not ear.may_ask("sales.OrderConfirmed")
    assert not ear.may_ask("kind:production.work_order") and not ear.may_ask(f"work_order:{uuid7()}")
    # A planner with the same event hears the whole of it.
    door.person("plan", "planner", door.suzhou)
    assert "WO-77" in Ear(door.by("plan", door.suzhou)).frame(here).decode()
