"""The planner's day, in real windows on the real product."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from lianzao.inventory.models import Lot
from tests.browser.conftest import Open
from tests.browser.plant import Plant
from tests.browser.test_journeys import SOON


def test_a_held_lot_breaks_a_kit_and_the_planner_sees_whom_that_reaches(plant: Plant, windows: Open) -> None:
    """Quality holds the steel of today's order: its kit is no longer complete, and the reason is two clicks away."""
    number = plant.today.number
    planner = windows("office").sign_in("planner", "/kits")
    kit = planner.locator(f"[data-order='{number}']")
    expect(kit).to_contain_text("已齐套")
    complete = planner.locator("[data-state=complete] strong")
    before = int(complete.inner_text())

    steel = Lot.objects.get(number="STEEL-L1")
    quality = windows("office").sign_in("quality", f"/trace/{steel.id}")
    quality.get_by_role("button", name="冻结").click()
    dialog = quality.get_by_role("dialog")
    dialog.locator("[data-field=reason] textarea, [data-field=reason] input").fill("表面锈蚀")
    dialog.get_by_role("button", name="冻结").click()

    expect(kit).to_contain_text(re.compile("来晚|无来源"), timeout=SOON)
    expect(complete).to_have_text(str(before - 1))
    kit.get_by_role("button", name=f"展开 {number}").click()
    row = kit.locator("tr", has_text="STEEL")
    expect(row).to_contain_text("120")

    planner.get_by_role("tab", name=re.compile("按物料和日期")).click()
    days = planner.locator("[data-item=STEEL]")
    expect(days.locator("td.d5").first).to_have_text("120")
    days.get_by_role("button").click()
    expect(planner.locator(".causes")).to_contain_text(number)

    planner.get_by_role("link", name="该物料的供需对应").click()
    expect(planner.get_by_role("heading", level=1)).to_contain_text("STEEL")
    planner.get_by_role("link", name=number).first.click()
    planner.get_by_role("button", name="供需追踪").click()
    expect(planner.get_by_text("由谁供应")).to_be_visible()


def test_only_the_late_kits_are_shown_when_asked(plant: Plant, windows: Open) -> None:
    planner = windows("office", "en").sign_in("planner", "/kits")
    expect(planner.locator(f"[data-order='{plant.today.number}']")).to_be_visible()
    planner.locator("[data-state=late]").click()
    expect(planner.get_by_text("No such order")).to_be_visible()
    planner.locator("[data-state=late]").click()
    planner.get_by_role("searchbox").fill("steel")
    expect(planner.locator("[data-order]")).to_have_count(1)
    planner.get_by_role("searchbox").fill("nothing of that kind")
    expect(planner.locator("[data-order]")).to_have_count(0)
