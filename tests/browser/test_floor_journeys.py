"""The operator's and the production lead's day, in real windows; language and theme change from run to run."""

from __future__ import annotations

import os
import re
import time
import zlib
from datetime import date
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from lianzao.engineering import commands as engineering
from lianzao.engineering.models import Routing
from lianzao.equipment.models import MachineState
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import Lot
from lianzao.production import commands as production
from lianzao.production.floor_models import (
    HelpCall,
    HelpCause,
    MaterialCheck,
    Presence,
    ShiftConfirmation,
    ShiftNote,
    StepValue,
)
from lianzao.production.models import OperationReport, WorkOrder
from tests.browser.conftest import Open, Window
from tests.browser.plant import BADGES, Plant

#: Change anywhere is on other people's screens within a second; a machine with two busy processors gets some more.
SOON_S = 3.0
LOOKS = [("zh-CN", "light"), ("en", "dark"), ("zh-CN", "dark"), ("en", "light")]


@pytest.fixture
def look(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Language and theme of this run: by the test's name and the day, or as LIANZAO_TEST_LOOK says (en,dark)."""
    given = os.environ.get("LIANZAO_TEST_LOOK")
    if given:
        language, _, theme = given.partition(",")
        return language, theme
    return LOOKS[zlib.crc32(f"{request.node.name} {timezone.now():%Y-%m-%d}".encode()) % len(LOOKS)]


def dressed(window: Window, look: tuple[str, str]) -> Window:
    """The window in a language and theme; what stands before, that only a first visit is dressed, holds here too."""
    language, theme = look
    window.context.add_init_script(
        "if (!localStorage.getItem('floor.look')) { localStorage.setItem('floor.look', '1');"
        f" localStorage.setItem('lianzao.preferences', JSON.stringify({{language: '{language}', theme: '{theme}'}})) }}"
    )
    return window


def scan(page: Page, code: str) -> None:
    """What a scanner does: it types fast."""
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def type_pin(page: Page, pin: str) -> None:
    pad = page.get_by_role("group").filter(has=page.locator(".key"))
    for digit in pin:
        pad.get_by_role("button", name=digit, exact=True).click()
    pad.locator(".ok").click()


def bound_terminal(windows: Open, look: tuple[str, str]) -> Page:
    """A device that an administrator has made the cutting station's terminal; it asks for a badge."""
    window = dressed(windows("terminal", look[0]), look)
    page = window.sign_in("admin")
    page.get_by_role("button", name=re.compile("下料|Cutting")).click()
    expect(page.locator(".target")).to_be_visible()
    return page


def badge_in(page: Page, login: str = "operator") -> None:
    badge, pin = BADGES[login]
    scan(page, badge)
    type_pin(page, pin)
    expect(page.locator(".queue")).to_be_visible()


def instructed_order(plant: Plant) -> WorkOrder:
    """Twenty bodies by a new revision of the routing: cutting wants a torque and a check written down."""
    routing = engineering.copy_routing(
        plant.system, routing=Routing.objects.get(item__code="BODY", approved_at__isnull=False), revision="R2",
        effective_from=date(2027, 1, 1),
    )  # fmt: skip
    engineering.set_operation_steps(
        plant.system,
        routing_operation=routing.operations.order_by("sequence")[0],
        steps=[
            engineering.StepLine(
                "拧紧力矩", "Torque", capture=engineering.Capture.NUMBER, unit_text="N·m", lower=Decimal(11),
                upper=Decimal(13), required=True,
            ),
            engineering.StepLine("去毛刺", "Deburr", capture=engineering.Capture.CHECK, required=True),
        ],
    )  # fmt: skip
    engineering.approve_routing(plant.system, routing=routing, end_previous=True)
    order = production.create_work_order(
        plant.by("planner"), item=plant.item("BODY"), quantity=Decimal(20), due_at=plant.today.due_at, routing=routing,
        firm=True,
    )  # fmt: skip
    return production.release_work_order(plant.by("lead"), work_order=order)


def test_an_operators_day_at_the_terminal(plant: Plant, windows: Open, look: tuple[str, str]) -> None:
    """Badge in, write a value down, material red then green, start, count five, scrap and why, call, badge out."""
    order = instructed_order(plant)
    bad = plant.opening("STEEL", "10", "LINE", lot="STEEL-BAD")
    assert bad is not None
    inventory.hold_lot(plant.by("quality"), lot=bad, reason="裂纹")
    page = bound_terminal(windows, look)
    badge_in(page)
    expect(page.locator("[data-people]")).to_have_text("1")
    stay = Presence.objects.get(left_at=None)
    assert stay.work_center.code == "CUT"

    page.locator(f"[data-job='{order.number}']").click()
    page.locator("[data-instruct]").click()
    page.locator("[data-step='1'] [data-value]").click()
    pad = page.get_by_role("dialog").last
    for key in "12.1":
        pad.get_by_role("button", name=key, exact=True).click()
    pad.locator(".ok").click()
    page.locator("[data-step='2'] [data-check=yes]").click()
    page.locator("[data-ready]").click()
    expect(page.get_by_role("dialog")).to_have_count(0)

    scan(page, "STEEL-BAD")
    expect(page.locator("[data-verdict=held]")).to_be_visible()
    expect(page.locator("[data-verdict=held]")).to_contain_text("裂纹")
    page.locator("[data-read]").click()
    scan(page, "STEEL-L1")
    expect(page.locator("[data-verdict=right]")).to_be_visible()
    page.locator("[data-read]").click()
    assert list(MaterialCheck.objects.order_by("happened_at").values_list("verdict", flat=True)) == ["held", "right"]
    assert order.materials.get(item__code="STEEL").checked_lot == Lot.objects.get(number="STEEL-L1")

    page.locator("[data-start-job]").click()
    expect(page.locator("[data-pause]")).to_be_visible()
    for _ in range(5):
        page.locator("[data-add='1']").click()
    expect(page.locator("[data-staged=good]")).to_have_text("+5")
    page.reload()  # a count that was not sent yet survives
    expect(page.locator("[data-staged=good]")).to_have_text("+5")
    page.locator("[data-field=scrap]").click()
    page.locator("[data-add='1']").click()
    expect(page.locator("[data-report]")).to_be_disabled()
    page.locator(".reason").first.click()
    # The page was loaded anew, and what was written down with it: both values go with this one report.
    page.locator("[data-report]").dblclick()
    expect(page.locator("[data-staged=good]")).to_have_text("5")
    report = OperationReport.objects.get()
    assert (report.good, report.scrap, report.work_order_id) == (5, 1, order.id)
    assert report.scrap_reason is not None and report.person_id == stay.person_id
    assert set(StepValue.objects.values_list("value", "within", "report_id")) == {
        ("12.1", True, report.id), ("yes", True, report.id)
    }  # fmt: skip

    lead = dressed(windows("office", look[0]), look).sign_in("lead", "/shift")
    expect(lead.locator("[data-center=CUT]")).to_be_visible()
    page.locator("[data-help]").click()
    page.locator("[data-cause=material]").click()
    called = time.monotonic()
    expect(lead.locator("[data-calls] [data-call=material][data-state=open]")).to_be_visible()
    assert time.monotonic() - called < SOON_S
    expect(page.locator("[data-call=material]")).to_be_visible()
    assert HelpCall.objects.get().status == "open"
    page.keyboard.press("Escape")

    page.locator(".who").first.click()
    expect(page.locator("[data-people]")).to_have_count(0)
    expect(page.locator(".target")).to_be_visible()
    stay.refresh_from_db()
    assert stay.left_at is not None


def test_two_people_change_at_a_station_by_badge(plant: Plant, windows: Open, look: tuple[str, str]) -> None:
    """The second badges in over the open page; the first stays, and is reported for by touching his name."""
    page = bound_terminal(windows, look)
    badge_in(page)
    expect(page.locator("[data-people]")).to_have_text("1")
    operator = Presence.objects.get(left_at=None)
    page.locator(f"[data-job='{plant.today.number}']").click()
    page.locator("[data-start-job]").click()
    expect(page.locator("[data-pause]")).to_be_visible()
    badge, pin = BADGES["lead"]
    scan(page, badge)
    dialog = page.get_by_role("dialog")
    pad = dialog.get_by_role("group")
    for digit in pin:
        pad.get_by_role("button", name=digit, exact=True).click()
    changing = time.monotonic()
    pad.locator(".ok").click()
    expect(page.locator("[data-people]")).to_have_text("2")
    assert time.monotonic() - changing < SOON_S
    expect(page.locator("[data-pause]")).to_be_visible()  # the same job is still open
    page.locator("[data-people]").click()
    page.locator(f"[data-person='{operator.person.said(look[0])}'] .who").click()
    page.keyboard.press("Escape")
    page.locator("[data-mode=pallet]").click()
    page.locator("[data-pallet]").click()
    expect(page.locator("[data-good]")).to_have_text("20")
    report = OperationReport.objects.get()
    assert report.person_id == operator.person_id and report.good == 20
    assert report.created_by != operator.person_id


def test_a_leads_day_at_the_board(plant: Plant, windows: Open, look: tuple[str, str]) -> None:
    """Sees a call within a second and answers it, posts somebody, confirms, hands over; the others see it."""
    lead = dressed(windows("office", look[0]), look).sign_in("lead", "/shift")
    other = dressed(windows("office", look[0]), look).sign_in("planner", "/shift")
    for page in (lead, other):
        expect(page.locator("[data-center=CUT]")).to_be_visible()
    production.call_for_help(
        plant.by("operator"), work_center=plant.center("CUT"), cause=HelpCause.MACHINE, note="主轴异响"
    )
    called = time.monotonic()
    call = lead.locator("[data-calls] [data-call=machine]")
    expect(call).to_be_visible()
    assert time.monotonic() - called < SOON_S
    call.get_by_role("button").first.click()
    expect(other.locator("[data-calls] [data-call=machine][data-state=acknowledged]")).to_be_visible()
    assert HelpCall.objects.get().acknowledged_by == plant.by("lead").id
    call.get_by_role("button").first.click()
    expect(other.locator("[data-calls] [data-call=machine]")).to_have_count(0)
    assert HelpCall.objects.get().status == "solved"

    cut = lead.locator("[data-center=CUT]")
    cut.locator(".people .menu button").click()
    lead.get_by_role("menuitem").first.click()
    expect(other.locator("[data-center=CUT] [data-post]")).to_have_count(1)
    lead.locator(".head button").first.click()
    expect(lead.locator("[data-confirmed]")).to_be_visible()
    assert ShiftConfirmation.objects.get().people == 1

    lead.locator("[data-note]").fill("2 号刀具快到寿命")
    lead.locator("input[type=checkbox]").check()
    lead.locator(".write button[type=submit]").click()
    expect(other.locator("[data-shift-note]")).to_contain_text("2 号刀具快到寿命")
    assert ShiftNote.objects.get().important


def test_a_machine_is_stopped_and_its_stop_corrected_at_the_wall(
    plant: Plant, windows: Open, look: tuple[str, str]
) -> None:
    """One touch and a reason; the other window sees it; the reason is corrected without editing the past."""
    plant.make("equipment.create_stop_reason", code="CLN", name="清扫", name_en="Cleaning", planned=True)
    wall = dressed(windows("office", look[0]), look).sign_in("lead", "/equipment")
    other = dressed(windows("office", look[0]), look).sign_in("planner", "/equipment")
    tile = wall.locator("[data-machine]").first
    code = tile.get_attribute("data-machine") or ""
    expect(other.locator(f"[data-machine={code}]")).to_have_attribute("data-state", "no_signal")
    tile.locator(".foot .menu button").last.click()
    wall.get_by_role("menuitem").first.click()
    expect(other.locator(f"[data-machine={code}]")).to_have_attribute("data-state", "stopped")
    first = MachineState.objects.get(machine__code=code)
    row = wall.locator("[data-stop]").first
    row.locator(".menu button").click()
    wall.get_by_role("menuitem").first.click()
    expect(wall.locator("[data-stop] .pill")).to_have_count(1)
    first.refresh_from_db()
    told = MachineState.objects.get(machine__code=code, reversed_at=None)
    assert first.reversed_at is not None and told.replaces_id == first.id and told.reason_id != first.reason_id
    wall.locator(f"[data-machine={code}] [data-start]").click()
    expect(other.locator(f"[data-machine={code}]")).to_have_attribute("data-state", "running")
