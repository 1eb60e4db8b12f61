"""The manager's screens of stock, quality and supply: live, and each figure leads to the paper behind it."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from lianzao.access import commands as access
from lianzao.production.models import OperationReport
from tests.browser.conftest import Open
from tests.browser.plant import Plant
from tests.browser.test_journeys import SOON, open_station
from tests.browser.test_screens import manager

TITLES = {
    "stock_use": "库存状态与物料消耗",
    "quality_trace": "质量追溯与异常预警",
    "supplier_performance": "供应商绩效与物流时效",
}


def test_the_manager_goes_from_each_screens_figure_to_the_paper_behind_it(plant: Plant, windows: Open) -> None:
    """Stock to what needs it, scrap to the work order it was reported on, a risky delivery to its purchase order."""
    manager(plant)
    access.register_display(
        plant.system, code="W3", name="仓库大屏", site=plant.site, screens=list(TITLES), dwell_seconds=3600
    )
    admin = windows("office").sign_in("admin", "/displays")
    admin.locator("[data-display='W3']").get_by_role("button", name="接入码").click()
    code = admin.locator("[data-code]").inner_text()
    television = windows("screen")
    wall = television.page
    wall.goto(f"{television.base}#{code}")
    expect(wall.get_by_role("heading", level=1)).to_contain_text(TITLES["stock_use"])
    # A display knows no money, and says so; it has neither links nor buttons.
    expect(wall.locator(".figure").first).to_contain_text("无权限")
    expect(wall.locator(".screen-page a, .screen-page button")).to_have_count(0)
    assert wall.evaluate("document.documentElement.scrollHeight <= innerHeight")

    desk = windows("office").sign_in("manager", "/screens/stock_use")
    expect(desk.get_by_role("heading", level=1)).to_have_text(TITLES["stock_use"])
    expect(desk.locator(".figure").first).not_to_contain_text("无权限")
    steel = desk.locator(".cover .link", has_text="STEEL")
    steel.click()
    drawer = desk.get_by_role("dialog")
    expect(drawer).to_contain_text("谁需要它")
    drawer.locator("a", has_text=plant.today.number).first.click()
    expect(desk).to_have_url(re.compile(f"/doc/production/work_order/{plant.today.id}"))
    desk.go_back()

    desk.get_by_role("link", name=TITLES["quality_trace"]).first.click()
    lost = desk.locator(".figure", has_text="报废").locator("strong")
    expect(lost).to_have_text("0")
    terminal = windows("terminal").sign_in("operator")
    open_station(terminal)
    terminal.locator(f"[data-job='{plant.today.number}']").click()
    terminal.get_by_role("button", name="开工").click()
    terminal.locator("[data-add='10']").click()
    terminal.locator("[data-field=scrap]").click()
    terminal.locator("[data-add='1']").click()
    terminal.get_by_role("radio", name="划伤").click()
    terminal.locator("[data-report]").click()
    expect(lost).to_have_text("1", timeout=SOON)
    made = OperationReport.objects.get(scrap=1)
    expect(desk.locator(".scrap")).to_contain_text("划伤")
    desk.locator(".scrap .link", has_text="划伤").click()
    drawer = desk.get_by_role("dialog")
    drawer.get_by_role("link", name=plant.today.number).click()
    expect(desk).to_have_url(re.compile(f"/doc/production/work_order/{made.work_order_id}"))
    desk.go_back()
    # A lot's number leads to its trace; one that nobody knows is said beside the field.
    desk.get_by_label("查批次").fill("NO-SUCH-LOT")
    desk.get_by_role("button", name="追溯").click()
    expect(desk.locator("#lot-missed")).to_contain_text("NO-SUCH-LOT")

    desk.get_by_role("link", name=TITLES["supplier_performance"]).first.click()
    expect(desk.get_by_role("heading", level=1)).to_have_text(TITLES["supplier_performance"])
    buyer = windows("office").sign_in("buyer", "/buy")
    buyer.locator("tr", has_text="STEEL").get_by_role("button", name="改到货日").click()
    dialog = buyer.get_by_role("dialog")
    dialog.locator("[data-field=expected_on] input").fill("2026-03-14")
    dialog.locator("[data-field=reason] textarea").fill("轧机故障")
    dialog.get_by_role("button", name="改到货日").click()
    risk = desk.locator(".risks li", has_text="STEEL")
    expect(risk).to_contain_text(re.compile("晚 |误 "), timeout=SOON)
    risk.get_by_role("link").first.click()
    expect(desk).to_have_url(re.compile("/doc/procurement/purchase_order/"))
