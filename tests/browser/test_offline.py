"""A terminal without the network: work goes on, arrives once, and what is refused comes before the lead."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from playwright.sync_api import Page, expect

from lianzao.access.models import RefusedOrder
from lianzao.alerts import commands as alerts
from lianzao.production import commands as production
from lianzao.production.models import OperationReport
from tests.browser.conftest import Open, Window
from tests.browser.plant import BADGES, Plant
from tests.browser.test_journeys import open_station

#: What lies in the browser's own store, as whoever finds the terminal could read it.
STORED = """async () => {
  const db = await new Promise((done, fail) => {
    const asked = indexedDB.open('lianzao');
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
  });
  const all = {};
  for (const name of db.objectStoreNames) {
    const store = db.transaction(name).objectStore(name);
    all[name] = await new Promise((done) => {
      const asked = store.getAll();
      asked.onsuccess = () => done(asked.result);
    });
  }
  db.close();
  return {stay: all.stay.length, kept: all.kept, reads: all.reads.map((one) => one.name),
          readable: all.stay.some((one) => one.key.extractable), text: JSON.stringify(all)};
}"""


#: A scanner's keys, all at once: on a busy machine keys sent one by one may come as slowly as a person's.
SCANNED = """(text) => {
  for (const key of [...text, 'Enter']) {
    document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
  }
}"""


def stored(page: Page) -> dict[str, Any]:
    return page.evaluate(STORED)


def badge_in(page: Page, who: str = "operator") -> None:
    badge, pin = BADGES[who]
    expect(page.get_by_role("button", name=re.compile("输入工牌号"))).to_be_visible()
    page.evaluate(SCANNED, badge)
    pad = page.get_by_role("group").filter(has=page.get_by_role("button", name="1", exact=True))
    for digit in pin:
        pad.get_by_role("button", name=digit, exact=True).click()
    pad.get_by_role("button", name="登录").click()


def terminal_of(windows: Open, plant: Plant) -> Window:
    """The cutting station's terminal, with the operator at today's job, and everything in the browser that it needs."""
    window = windows("terminal")
    page = window.sign_in("admin")
    page.get_by_role("button", name="下料").click()
    badge_in(page)
    page.locator(f"[data-job='{plant.today.number}']").click()
    page.get_by_role("button", name="开工").click()
    expect(page.get_by_role("button", name="生产中")).to_be_visible()
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    for _ in range(40):
        if stored(page)["stay"]:
            break
        page.wait_for_timeout(100)
    assert stored(page)["stay"] == 1 and not stored(page)["readable"]
    return window


def away(window: Window) -> None:
    window.context.set_offline(True)


def back(window: Window) -> None:
    """The network is there again; the browser's own complaints while it was away are no faults."""
    window.context.set_offline(False)
    window.faults[:] = [said for said in window.faults if "ERR_INTERNET_DISCONNECTED" not in said]


def add(page: Page, by: int) -> None:
    page.locator(f"[data-add='{by}']").click()


def waiting(page: Page, count: int) -> None:
    expect(page.locator("[data-waiting]")).to_contain_text(f"{count} 条待上传")


def test_five_reports_without_the_network_arrive_once_each(plant: Plant, windows: Open) -> None:
    """A double tap and a reload among them; a second window sees them as soon as they are there."""
    window = terminal_of(windows, plant)
    page = window.page
    second = windows("terminal").sign_in("lead")
    open_station(second)
    second.locator(f"[data-job='{plant.today.number}']").click()
    expect(second.locator("[data-good]")).to_have_text("0")

    away(window)
    for number, by in enumerate((1, 5), 1):
        add(page, by)
        page.locator("[data-report]").click()
        waiting(page, number)
    add(page, 10)
    page.locator("[data-report]").dblclick()
    waiting(page, 3)
    expect(page.locator("[data-good]")).to_have_text("16")
    page.reload()  # the page is started from nothing, without the network
    expect(page.locator("[data-good]")).to_have_text("16")
    waiting(page, 3)
    for number, by in enumerate((1, 5), 4):
        add(page, by)
        page.locator("[data-report]").click()
        waiting(page, number)
    expect(page.locator("[data-good]")).to_have_text("22")
    assert not OperationReport.objects.exists()
    kept = stored(page)["kept"]
    assert [each["state"] for each in kept] == ["waiting"] * 5

    back(window)
    expect(page.locator("[data-waiting]")).to_have_count(0, timeout=20_000)
    expect(second.locator("[data-good]")).to_have_text("22")
    expect(page.locator("[data-good]")).to_have_text("22")
    made = list(OperationReport.objects.order_by("happened_at"))
    assert [each.good for each in made] == [1, 5, 10, 1, 5]
    assert {str(each.order_id) for each in made} == {each["id"] for each in kept}
    assert all(each.happened_at < each.recorded_at for each in made)
    assert [each.recorded_at for each in made] == sorted(each.recorded_at for each in made)
    back(window)


def test_what_is_refused_is_told_here_and_the_lead_does_it_again(plant: Plant, windows: Open) -> None:
    alerts.set_up_watches(plant.system)
    window = terminal_of(windows, plant)
    page = window.page
    away(window)
    page.get_by_role("button", name="全部完成").click()
    page.locator("[data-report]").click()  # 60 of 60, as far as anybody here knows
    waiting(page, 1)
    operation = plant.today.operations.order_by("sequence")[0]
    production.report_operation(plant.by("lead"), operation=operation, good=Decimal(55))
    back(window)
    expect(page.get_by_text(re.compile("未被接受")).first).to_be_visible(timeout=20_000)
    page.locator("[data-waiting]").click()
    expect(page.locator("[data-kept=filed]")).to_contain_text(plant.today.number)
    paper = RefusedOrder.objects.get()

    lead = windows("office").sign_in("lead", "/alerts")
    lead.get_by_role("link", name=re.compile(paper.number)).first.click()
    expect(lead.locator("[data-refusal]")).to_have_text(paper.refusal)
    good = lead.locator("[data-field=good] input")
    expect(good).to_have_value("60")
    lead.locator("[data-redo]").click()
    expect(lead.locator("[data-field=good]")).to_contain_text("5")  # refused again, beside the figure
    good.fill("5")
    lead.locator("[data-redo]").click()
    expect(lead.locator("[data-redo]")).to_have_count(0)
    made = OperationReport.objects.get(good=5)
    assert made.person_id == paper.person_id and made.happened_at == paper.happened_at
    back(window)


def test_badge_out_leaves_nothing_readable_and_what_waits_still_arrives(plant: Plant, windows: Open) -> None:
    window = terminal_of(windows, plant)
    page = window.page
    away(window)
    add(page, 10)
    page.locator("[data-report]").click()
    waiting(page, 1)
    page.get_by_role("button", name="退出登录").click()
    expect(page).to_have_url(re.compile("/login"))
    left = stored(page)
    assert (left["stay"], left["reads"], len(left["kept"])) == (0, [], 1)
    for word in ("report_operation", plant.today.number, "BODY", "good", "高强"):
        assert word not in left["text"], word
    page.reload()  # still nobody, though the server could not be told of the leaving
    expect(page).to_have_url(re.compile("/login"))

    back(window)
    for _ in range(200):
        if OperationReport.objects.exists():
            break
        page.wait_for_timeout(100)
    assert [each.good for each in OperationReport.objects.all()] == [10]
    page.goto(f"{window.base}/")
    badge_in(page)
    expect(page.locator(".queue")).to_be_visible()
    back(window)
