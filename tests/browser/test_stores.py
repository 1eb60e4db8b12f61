"""The store's phone, buyer, supplier and customer at work. Language and theme change with the test's name."""

from __future__ import annotations

import json
import re
import zlib
from decimal import Decimal
from pathlib import Path
from urllib.parse import urljoin
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from lianzao.inventory.models import CountSheet
from lianzao.inventory.queries import balance_at
from lianzao.procurement.models import Asn, Chase, ScheduleLine
from lianzao.sales import commands as sales
from lianzao.sales.models import PromiseChange
from tests.browser.conftest import Open
from tests.browser.plant import Plant
from tests.browser.test_journeys import SOON
from tests.world import day

FILES = {"zh-CN": "zh", "en": "en"}


def words(language: str) -> dict[str, str]:
    """What the buttons say."""
    file = Path(__file__).parents[2] / "web" / "src" / "words" / f"{FILES[language]}.json"
    said = json.loads(file.read_text("utf-8"))
    portal = said["portal"]
    return {
        "confirm": portal["confirmAsked"],
        "announce": portal["announce"],
        "accept": portal["acceptOffer"],
        "answer": portal["answer"],
        "chase": said["buy"]["chase"],
    }


class Look:
    """How the windows of one test look: a language and a theme."""

    def __init__(self, name: str) -> None:
        rolled = zlib.crc32(name.encode())
        self.language = ("zh-CN", "en")[rolled % 2]
        self.theme = ("light", "dark")[rolled // 2 % 2]
        self.words = words(self.language)

    def window(self, windows: Open, app: str, login: str, path: str = "/") -> Page:
        """A person's window in this look, which must not be wider than its screen."""
        made = windows(app, self.language)
        made.context.add_init_script(
            "localStorage.setItem('lianzao.preferences',"
            f" JSON.stringify({{language: '{self.language}', theme: '{self.theme}'}}))"
        )
        return made.sign_in(login, path)


@pytest.fixture
def look(request: pytest.FixtureRequest) -> Look:
    return Look(request.node.name)


def scan(page: Page, code: str) -> None:
    """What a scanner does, as fast as one, however busy this machine is: keys to the page, then Enter."""
    page.evaluate(
        "code => { for (const key of [...code, 'Enter'])"
        " (document.activeElement ?? document.body).dispatchEvent("
        "new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true})); }",
        code,
    )


def fits(page: Page) -> None:
    """Nothing is wider than the screen."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")


def at(plant: Plant, code: str, place: str, lot: UUID | None = None) -> Decimal:
    """What the books say."""
    return balance_at(plant.item(code).id, plant.location(place).id, lot)


def press(page: Page, digits: str) -> None:
    """Keys of the pad, by touch."""
    for digit in digits:
        page.locator(".pad .key", has_text=re.compile(f"^{digit}$")).click()


def test_goods_are_put_away_counted_twice_and_asked_for_by_scan(plant: Plant, windows: Open, look: Look) -> None:
    """The pile, then its place; a count that differs comes up again; the books are right, also at the other phone."""
    motors = plant.opening("MOTOR", "40", "RECV", lot="M-900")
    assert motors is not None
    plant.opening("SCREW", "1000", "FG")
    phone = look.window(windows, "phone", "warehouse", "/move")
    waits = phone.locator("[data-wait='M-900']")
    expect(waits).to_contain_text("STORE")  # where it belongs, and why
    fits(phone)
    scan(phone, "M-900")
    expect(phone.locator("[data-pile='M-900']")).to_be_visible()
    expect(phone.locator("[data-place='STORE'][aria-checked=true]")).to_be_visible()
    scan(phone, "STORE")  # the scan of the place is the confirmation
    expect(phone.locator("[data-pile]")).to_have_count(0)  # and the next pile may come
    expect(waits).to_have_count(0)
    assert at(plant, "MOTOR", "STORE", motors.id) == 40

    other = look.window(windows, "phone", "lead", "/count")
    phone.goto(urljoin(phone.url, "/phone/count"))
    expect(phone.locator("[data-wish]").first).to_be_visible()
    fits(phone)
    scan(phone, "SCREW")  # an item is counted wherever it stands
    line = phone.locator("[data-line='SCREW']")
    expect(line).to_be_visible()
    assert "1000" not in phone.locator("main, body").first.inner_text().replace(",", "")  # nobody is told beforehand
    sheet = CountSheet.objects.get()
    expect(other.locator(f"[data-sheet='{sheet.number}']")).to_be_visible(timeout=SOON)
    for expected in ("again", "done"):
        press(phone, "990")
        phone.locator("[data-count]").click()
        if expected == "again":
            expect(phone.locator("[data-line='SCREW'].again")).to_be_visible()
    expect(line).to_have_count(0)
    phone.locator("[data-submit]").click()
    expect(phone.locator("[data-submit]")).to_have_count(0)
    sheet.refresh_from_db()
    assert sheet.status == "booked"
    assert at(plant, "SCREW", "FG") == 990

    phone.goto(urljoin(phone.url, "/phone/stock"))
    expect(phone.locator(".scan input")).to_be_visible()
    scan(phone, "SCREW")
    expect(phone.locator("[data-pile='SCREW']").first).to_contain_text("990")
    scan(phone, "M-900")
    expect(phone.locator("[data-free]")).to_have_text("40")
    fits(phone)


def test_a_chase_is_answered_in_the_suppliers_window_and_seen_by_the_buyer(
    plant: Plant, windows: Open, look: Look
) -> None:
    """One tap asks; the supplier sees it, with why it matters and no names; the buyer sees the answer at once."""
    buyer = look.window(windows, "office", "buyer", "/buy")
    mill = look.window(windows, "portal", "mill")
    expect(mill.locator("[data-order]").first).to_be_visible()
    row = buyer.locator("tr[data-delivery]", has_text="STEEL").first
    row.get_by_role("button", name=look.words["chase"], exact=True).dblclick()
    expect(row.locator("[data-chase=open]")).to_be_visible(timeout=SOON)
    asked = mill.locator("[data-asked]")
    expect(asked).to_be_visible(timeout=SOON)
    expect(asked).to_contain_text("STEEL")
    assert plant.sold.number not in asked.inner_text() and "ACME" not in asked.inner_text()
    asked.get_by_role("button", name=look.words["answer"], exact=True).click()
    dialog = mill.get_by_role("dialog")
    dialog.locator("[data-field=answer] input, [data-field=answer] textarea").first.fill("rolling mill is down")
    dialog.get_by_role("button", name=look.words["answer"], exact=True).click()
    expect(asked).to_have_count(0)
    expect(row.locator("[data-chase=answered]")).to_contain_text("rolling mill is down", timeout=SOON)
    assert Chase.objects.filter(status="answered").count() == 1

    row.get_by_role("link").first.click()
    expect(buyer).to_have_url(re.compile("/purchase/"))
    expect(buyer.get_by_text("rolling mill is down").first).to_be_visible()
    buyer.locator("[data-supplier]").click()
    expect(buyer.locator("[data-on-time]")).to_be_visible()


def test_a_supplier_splits_confirms_announces_and_prints_his_labels(
    busy_plant: Plant, windows: Open, look: Look
) -> None:
    """Less than asked needs a reason; the rest is confirmed next; the labels say lot and quantity in bars and words."""
    mill = look.window(windows, "portal", "mill")
    line = ScheduleLine.objects.get(status="open", line__order__supplier__code="MILL")
    card = mill.locator(f"[data-order='{line.line.order.number}']")
    fits(mill)
    card.locator("[data-propose]").click()
    dialog = mill.get_by_role("dialog")
    dialog.locator("[data-quantity]").fill("5")
    dialog.locator("[data-send]").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.locator("[data-reason]").fill("coil shared")
    dialog.locator("[data-send]").dblclick()
    expect(dialog).to_have_count(0)
    expect(card.locator("[data-schedule]")).to_have_count(2)
    line.refresh_from_db()
    rest = ScheduleLine.objects.get(line=line.line_id, sequence=2)
    assert (line.quantity, line.status, rest.status) == (5, "confirmed", "open")
    card.get_by_role("button", name=look.words["confirm"], exact=True).click()
    expect(card.get_by_role("button", name=look.words["confirm"], exact=True)).to_have_count(0)

    card.get_by_role("button", name=re.compile(look.words["announce"])).click()
    dialog = mill.get_by_role("dialog")
    for lot in dialog.locator("[data-lot]").all():
        lot.fill("MILL-77")
    dialog.get_by_role("button", name=re.compile(look.words["announce"])).click()
    expect(dialog).to_have_count(0)
    asn = Asn.objects.get(purchase_order=line.line.order_id)
    mill.locator(f"[data-labels='{asn.number}']").click()
    paper = mill.frame_locator("iframe.paper")
    expect(paper.get_by_text("MILL-77").first).to_be_visible()
    expect(paper.locator(".label")).to_have_count(2)
    expect(paper.get_by_text("(10)MILL-77(37)5")).to_be_visible()
    assert paper.locator("svg.bars").count() == 2 and paper.locator("svg.qr").count() == 2
    expect(mill.locator("[data-print]")).to_be_enabled()


def test_a_customer_accepts_a_new_promise(plant: Plant, windows: Open, look: Look) -> None:
    """The offer comes up by itself and is answered in one tap."""
    acme = look.window(windows, "portal", "acme")
    expect(acme.locator(f"[data-order='{plant.sold.number}']")).to_be_visible()
    line = plant.sold.lines.get()
    sales.offer_new_promise(plant.by("sales"), line=line, new_on=day(27))
    offer = acme.locator("[data-offer]")
    expect(offer).to_be_visible(timeout=SOON)
    fits(acme)
    offer.get_by_role("button", name=re.compile(look.words["accept"])).dblclick()
    expect(offer).to_have_count(0)
    assert PromiseChange.objects.get(new_on=day(27)).status == "accepted"
    line.refresh_from_db()
    assert line.promised_on == day(27) and line.quantity == Decimal(100)
