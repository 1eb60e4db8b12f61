"""The manager's screens: on the wall without a person, at the desk with a way to everything behind a figure."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from lianzao.access import commands as access
from lianzao.access.models import Display, Role
from tests.browser.conftest import Open, Window
from tests.browser.plant import PASSWORD, Plant
from tests.browser.test_journeys import SOON, open_station

TITLES = {
    "order_progress": ("订单进度跟踪", "Order progress"),
    "plan_load": ("生产计划与设备负荷", "Production plan and load"),
}
CUT_OFF = {"zh-CN": "这块大屏已断开", "en": "This wall display was cut off"}


def manager(plant: Plant) -> None:
    """The plant gets somebody who looks at the whole of it."""
    person = access.create_person(plant.system, login="manager", name="陈厂长", name_en="Chen Manager")
    access.assign_role(plant.system, person=person, role=Role.objects.get(code="manager"), site=plant.site)
    access.set_password(plant.system, person=person, password=PASSWORD)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_wall_display_is_hung_turns_its_screens_lives_and_is_cut_off(
    plant: Plant, windows: Open, language: str
) -> None:
    """An administrator makes it; a television opens its link; work and late supply show at once; then it is cut off."""
    admin = windows("office").sign_in("admin", "/displays")
    admin.get_by_role("button", name="新建大屏").first.click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("编号").fill("HALL-1")
    dialog.get_by_label("名称", exact=True).fill("总装车间大屏")
    dialog.get_by_label(re.compile("每屏停留")).fill("5")
    dialog.get_by_label("语言").select_option(language)
    dialog.get_by_role("button", name="保存").click()
    row = admin.locator("[data-display='HALL-1']")
    expect(row).to_contain_text("未接入")
    row.get_by_role("button", name="接入码").click()
    code = admin.locator("[data-code]").inner_text()
    assert len(Display.objects.get().screens) >= 2

    television: Window = windows("screen")
    wall = television.page
    wall.goto(f"{television.base}#{code}")
    at = 0 if language == "zh-CN" else 1
    title = wall.get_by_role("heading", level=1)
    expect(title).to_contain_text(TITLES["order_progress"][at])
    expect(wall.locator("[data-stage=production] strong")).to_have_text("0")
    assert wall.evaluate("[scrollY, document.documentElement.scrollHeight <= innerHeight, location.hash]") == [
        0,
        True,
        "",
    ]
    admin.keyboard.press("Escape")
    expect(row).to_contain_text("正在显示", timeout=SOON)
    expect(title).to_contain_text(TITLES["plan_load"][at], timeout=12_000)
    made = wall.locator(".figure").first.locator("strong")
    before = made.inner_text()

    # Longer dwell, so that the screen stays while we look; the display takes it by itself.
    access.change_display(plant.system, display=Display.objects.get(), dwell_seconds=3600)
    terminal = windows("terminal").sign_in("operator")
    open_station(terminal)
    terminal.locator(f"[data-job='{plant.today.number}']").click()
    terminal.get_by_role("button", name="开工").click()
    wall.wait_for_timeout(16_000)  # it asks every 15 s what to show
    if TITLES["plan_load"][at] not in title.inner_text():
        access.change_display(plant.system, display=Display.objects.get(), screens=["plan_load"])
        expect(title).to_contain_text(TITLES["plan_load"][at], timeout=20_000)
    terminal.locator("[data-add='10']").click()
    terminal.locator("[data-report]").click()
    reported = time.monotonic()
    expect(made).not_to_have_text(before, timeout=SOON)
    expect(made).to_have_text(str(int(before) + 10), timeout=SOON)
    assert time.monotonic() - reported < SOON / 1000

    row.get_by_role("button", name="断开").click()
    expect(wall.get_by_text(CUT_OFF[language])).to_be_visible(timeout=25_000)
    expect(wall.locator(".figure")).to_have_count(0)
    assert wall.evaluate("fetch('/api/overviews/screen/plan_load').then(r => r.status)") == 401
    wall.reload()
    expect(wall.get_by_text(CUT_OFF[language])).to_be_visible()


def test_late_supply_shows_on_the_managers_screen_and_leads_to_the_order(plant: Plant, windows: Open) -> None:
    """The manager's desk and phone: all is well, then a supplier slips; the line comes up with its reason and opens."""
    manager(plant)
    name = f"{plant.sold.number}/1"
    desk = windows("office").sign_in("manager", "/screens/order_progress")
    line = desk.locator(f"[data-line='{name}']")
    expect(line).to_contain_text("准时")
    phone = windows("phone").sign_in("manager", "/screens/order_progress")
    expect(phone.locator(f"[data-line='{name}']")).to_contain_text("准时")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")

    buyer = windows("office").sign_in("buyer", "/buy")
    buyer.locator("tr", has_text="STEEL").get_by_role("button", name="改到货日").click()
    dialog = buyer.get_by_role("dialog")
    dialog.locator("[data-field=expected_on] input").fill("2026-03-25")
    dialog.locator("[data-field=reason] textarea").fill("轧机故障")
    dialog.get_by_role("button", name="改到货日").click()
    expect(line).to_contain_text("晚 5 天", timeout=SOON)
    expect(line).to_contain_text("STEEL")
    expect(phone.locator(f"[data-line='{name}']")).to_contain_text("晚 5 天", timeout=SOON)
    expect(desk.locator("[data-stage] .late")).to_have_count(1)

    line.get_by_role("link", name=name).click()
    expect(desk).to_have_url(re.compile(f"/orders/{plant.sold.id}$"))
    desk.go_back()
    expect(line).to_contain_text("晚 5 天")
    desk.get_by_text("看数据表").first.click()
    expect(desk.get_by_role("table").first).to_be_visible()
