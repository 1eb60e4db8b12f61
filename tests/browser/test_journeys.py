"""What people live through, in real windows on the real product."""

from __future__ import annotations

import re
import time
from urllib.parse import urljoin

from playwright.sync_api import Locator, Page, expect

from lianzao.equipment.models import MachineState
from lianzao.inventory.models import Lot
from lianzao.logistics.models import Shipment
from lianzao.production.models import OperationReport, WorkOrder
from lianzao.sales.models import PromiseChange
from tests.browser.conftest import Open
from tests.browser.plant import BADGES, PASSWORD, Plant

#: Change anywhere is on other people's screens within a second; a machine with two busy processors gets some more.
SOON = 3_000


def open_station(page: Page, center: str = "CUT") -> None:
    """Choose the work center on a device that is bound to no station."""
    page.get_by_role("button", name=center, exact=True).click()
    expect(page.locator(".queue")).to_be_visible()


def choose(page: Page, box: Locator, code: str) -> None:
    """Look up a record by its code and take it."""
    box.click()
    box.press_sequentially(code)
    page.get_by_role("option", name=re.compile(code)).click()


def scan(page: Page, code: str) -> None:
    """What a scanner does: it types fast."""
    page.keyboard.type(code, delay=5)
    page.keyboard.press("Enter")


def order_from(buyer: Page, *items: str) -> None:
    """The buyer approves what was asked for, makes one order of it, and sends it."""
    for item in items:
        buyer.locator("tr", has_text=item).locator("input[type=checkbox]").check()
    buyer.get_by_role("button", name=f"批准 {len(items)} 条").click()
    expect(buyer.get_by_role("button", name=re.compile("批准"))).to_have_count(0)
    buyer.get_by_role("button", name=f"下采购单（{len(items)}）").click()
    buyer.get_by_role("dialog").get_by_role("button", name=f"下采购单（{len(items)}）").click()
    buyer.get_by_role("button", name="发送订单").click()
    expect(buyer.get_by_role("button", name="发送订单")).to_have_count(0)


def fetch(phone: Page, *items: str) -> None:
    """Take to the line what the tasks ask for."""
    for item in items:
        phone.goto(urljoin(phone.url, "/phone/picks"))
        phone.locator("a.tile", has_text=item).click()
        confirm = phone.locator("[data-confirm]")
        expect(confirm).to_be_visible()
        phone.wait_for_timeout(550)  # a tap right after another page is not taken for this task's
        confirm.click()
        expect(phone.get_by_text(re.compile(f"已拣 .* {item}"))).to_be_visible()


def make_all(terminal: Page) -> None:
    """Open the job that waits here, start it if it has not begun, and report all that is left as good."""
    terminal.locator("[data-job]").click()
    start = terminal.get_by_role("button", name="开工", exact=True)
    begun = terminal.get_by_role("button", name="生产中")
    expect(start.or_(begun)).to_be_visible()
    if start.is_visible():
        start.click()
        expect(begun).to_be_visible()
    terminal.get_by_role("button", name="全部完成").click()
    terminal.locator("[data-report]").click()
    expect(terminal.locator("[data-report]")).to_have_count(0)  # the job is done, and gone from here


def go_to(terminal: Page, center: str) -> None:
    """Over to another work center."""
    terminal.get_by_role("button", name="任务队列").click()
    terminal.get_by_role("button", name="换工位").click()
    open_station(terminal, center)


def test_the_whole_life_of_an_order_by_clicks_only(empty_plant: Plant, windows: Open) -> None:
    """From a customer's wish to the signed proof, through every window; then the trace of it, both ways."""
    empty_plant.steel_comes_in_bundles(of=70)
    sales = windows("office").sign_in("sales", "/orders")
    sales.get_by_role("button", name="录入订单").click()
    choose(sales, sales.locator("[data-field=customer] input"), "ACME")
    row = sales.locator("[data-field=lines] tbody tr")
    choose(sales, row.get_by_role("combobox").first, "PUMP")
    row.get_by_label("数量 1").fill("100")
    row.get_by_label("单价 1").fill("300")
    sales.locator("[data-field=requested_on] input").fill("2026-03-27")
    sales.get_by_role("button", name="录入订单").click()
    expect(sales).to_have_url(re.compile("/orders/[0-9a-f]"))
    sales.get_by_role("button", name="确认订单", exact=True).click()
    expect(sales.get_by_text("STEEL")).to_be_visible()  # planned down to what is bought
    sales.get_by_role("button", name="按计划承诺").click()
    expect(sales.get_by_text("承诺 03-27 交付")).to_be_visible()
    expect(sales.get_by_role("button", name="按计划承诺")).to_have_count(0)

    planner = windows("office").sign_in("planner", "/plan")
    planner.get_by_label("全选").check()
    planner.get_by_role("button", name="接受 5 条").click()
    expect(planner.get_by_text("没有待决的计划订单")).to_be_visible()

    buyer = windows("office").sign_in("buyer", "/buy")
    order_from(buyer, "STEEL")
    order_from(buyer, "MOTOR", "SCREW")
    bolts = buyer.locator("tr", has_text="MOTOR").get_by_role("link").first.inner_text().partition("/")[0]

    mill = windows("portal").sign_in("mill")
    mill.get_by_role("button", name="按要求确认", exact=True).click()
    expect(mill.get_by_role("dialog")).to_have_count(0)
    mill.get_by_role("button", name="通知发货").click()
    dialog = mill.get_by_role("dialog")
    dialog.locator("[data-lot]").fill("MILL-7781")
    dialog.get_by_label("预计到达").first.fill("2026-03-02")
    dialog.get_by_role("button", name="通知发货").click()
    expect(mill.locator("[data-asn]")).to_be_visible()
    asn = mill.locator("[data-asn]").get_attribute("data-asn") or ""
    for item in ("MOTOR", "SCREW"):  # the other supplier has no portal, and telephones
        line = buyer.locator("tr", has_text=item)
        line.get_by_role("button", name="确认", exact=True).click()
        buyer.get_by_role("dialog").get_by_role("button", name="确认", exact=True).click()
        expect(line).to_contain_text("已确认")

    phone = windows("phone").sign_in("warehouse", "/receive")
    expect(phone.locator("a.tile", has_text=asn)).to_be_visible()
    scan(phone, asn)
    phone.locator("[data-receive]").click()
    expect(phone.get_by_text("近三天没有到货")).to_be_visible()
    scan(phone, bolts)  # these come without a notice: the order is found by its number
    phone.locator("[data-line=MOTOR] [data-lot]").fill("B-9")
    phone.locator("[data-receive]").click()
    expect(phone.locator("[data-receive]")).to_have_count(0)

    quality = windows("office").sign_in("quality", "/quality")
    expect(quality.get_by_text("MILL-7781").first).to_be_visible()
    expect(quality.locator(".cell input")).to_have_count(3)
    for cell in quality.locator(".cell input").all():
        cell.fill("12.05")
    quality.get_by_role("button", name="保存读数（3）").click()
    quality.get_by_role("button", name="判定合格").click()
    expect(quality.get_by_text("没有待检的")).to_be_visible()

    lead = windows("office").sign_in("lead", "/production")
    for item in ("BODY", "PUMP"):
        job = lead.locator("[role=row]", has_text=item)
        job.get_by_role("button", name="下达").click()
        expect(job).to_have_count(0)
    fetch(phone, "STEEL", "SCREW", "MOTOR")

    terminal = windows("terminal").sign_in("operator")
    open_station(terminal, "CUT")
    terminal.locator("[data-job]").click()
    terminal.get_by_role("button", name="开工").click()
    expect(terminal.get_by_role("button", name="生产中")).to_be_visible()
    terminal.get_by_role("button", name="输入数量").click()
    pad = terminal.get_by_role("dialog")
    for key in ("9", "5", "完成"):
        pad.get_by_role("button", name=key, exact=True).click()
    terminal.locator("[data-field=scrap]").click()
    terminal.locator("[data-add='5']").click()
    terminal.get_by_role("radio", name="划伤").click()
    terminal.locator("[data-report]").click()
    expect(terminal.locator("[data-good]")).to_have_text("95")
    expect(terminal.get_by_role("button", name="撤销")).to_be_visible()
    terminal.get_by_role("button", name="任务队列").click()
    fetch(phone, "STEEL", "BODY")  # steel for the five to be made again; the good ones go on
    make_all(terminal)
    fetch(phone, "BODY")
    for center in ("MACHINE", "ASSEMBLE", "TEST"):
        go_to(terminal, center)
        make_all(terminal)
    made = WorkOrder.objects.get(item__code="PUMP")
    quality.get_by_role("button", name="判定合格").click()
    expect(quality.get_by_text("没有待检的")).to_be_visible()

    sales.get_by_role("button", name="生成发货单").click()
    shipped = sales.locator("[data-line='1'] a", has_text="SH-")
    expect(shipped).to_be_visible()
    number = shipped.inner_text()
    phone.goto(urljoin(phone.url, "/phone/ship"))
    phone.locator("a.tile", has_text=number).click()
    for step in ("pick_shipment", "pack", "dispatch_shipment"):
        phone.locator(f"[data-step={step}]").click()
    phone.get_by_role("dialog").get_by_role("button", name="发运").click()
    phone.locator("[data-step=record_proof]").click()
    phone.get_by_role("dialog").locator("[data-field=receiver] input").fill("冯磊")
    phone.get_by_role("dialog").get_by_role("button", name="签收").click()
    expect(sales.locator("header, .page").get_by_text("已关闭").first).to_be_visible()
    expect(sales.get_by_text("已发 100 · 已签收 100")).to_be_visible()
    expect(shipped.locator("..")).to_contain_text("100 件")

    quality.keyboard.press("Control+k")
    expect(quality.get_by_role("dialog").locator("input")).to_be_focused()
    quality.keyboard.type(made.number)
    quality.get_by_role("option", name=re.compile(f"{made.number}.*批次", re.DOTALL)).click()
    told = quality.locator("main")
    for operation in ("10 CUT", "10 MACHINE", "20 ASSEMBLE", "30 TEST"):
        expect(told.locator(".step", has_text=operation).first).to_contain_text("高强")
    expect(told.locator("[data-lot=MILL-7781]")).to_contain_text("供应商批号 MILL-7781")
    expect(told.locator("[data-lot=MILL-7781]")).to_contain_text(re.compile("QI-.*已接受", re.DOTALL))
    expect(told.locator("[data-lot=B-9]")).to_contain_text("来自供应商")
    expect(told).to_contain_text(re.compile(f"发给客户.*远景动力.*{number}", re.DOTALL))
    told.get_by_role("link", name="MILL-7781").click()
    expect(quality.get_by_role("heading", name="MILL-7781")).to_be_visible()
    quality.get_by_role("tab", name="去了哪里").click()
    reached = told.locator(f"[data-lot={made.number}]")
    expect(reached).to_contain_text(re.compile(f"发给客户.*远景动力.*{number}", re.DOTALL))
    expect(told).to_contain_text("不良 5")


def test_late_supply_reaches_everybody_in_four_windows(plant: Plant, windows: Open) -> None:
    """The buyer moves a date; planner, customer and station see what it means for them, and decide."""
    order = plant.sold.number
    terminal = windows("terminal").sign_in("operator")
    open_station(terminal)
    body = WorkOrder.objects.filter(item__code="BODY", quantity=40).get()
    job = terminal.locator(f"[data-job='{body.number}']")
    expect(job).to_contain_text("03-20")
    planner = windows("office").sign_in("planner", "/plan")
    expect(planner.get_by_text("所有承诺都能兑现")).to_be_visible()
    customer = windows("portal", "en").sign_in("acme")
    expect(customer.locator(f"[data-order='{order}']")).to_be_visible()
    buyer = windows("office").sign_in("buyer", "/buy")

    row = buyer.locator("tr", has_text="STEEL")
    row.get_by_role("button", name="改到货日").click()
    dialog = buyer.get_by_role("dialog")
    dialog.locator("[data-field=expected_on] input").fill("2026-03-25")
    dialog.locator("[data-field=reason] textarea").fill("轧机故障")
    dialog.get_by_role("button", name="改到货日").click()
    moved = time.monotonic()

    hurt = planner.locator(f"[data-demand='{order}/1']")
    expect(hurt).to_contain_text("晚 5 天", timeout=SOON)
    assert time.monotonic() - moved < SOON / 1000
    expect(hurt).to_contain_text("STEEL")
    expect(row).to_contain_text(order, timeout=SOON)

    planner.locator("[data-action=promise]").get_by_role("button", name="接受").click()
    offer = customer.locator(f"[data-offer='{order}']")
    expect(offer).to_contain_text("2026-03-25", timeout=SOON)
    expect(offer).to_contain_text("Why")

    planner.locator(f"[data-action=reschedule][data-subject='{body.number}']").get_by_role(
        "button", name="接受"
    ).click()
    expect(job).to_contain_text("03-25", timeout=SOON)

    offer.get_by_role("button", name="Accept the new date").click()
    expect(offer).to_have_count(0, timeout=SOON)
    expect(planner.get_by_text("所有承诺都能兑现")).to_be_visible(timeout=SOON)
    assert PromiseChange.objects.filter(status="accepted").count() == 1


def test_good_and_scrap_are_one_report_however_often_it_is_hit(plant: Plant, windows: Open) -> None:
    """At a bound terminal, by badge: start, stage good and scrap, hit the button twice; booked once, then undone."""
    admin = windows("terminal")
    admin.sign_in("admin")
    admin.page.get_by_role("button", name="下料").click()
    page = admin.page
    expect(page.get_by_role("button", name=re.compile("输入工牌号"))).to_be_visible()
    badge, pin = BADGES["operator"]
    page.keyboard.type(badge, delay=5)
    page.keyboard.press("Enter")
    pad = page.get_by_role("group")
    for digit in pin:
        pad.get_by_role("button", name=digit, exact=True).click()
    pad.get_by_role("button", name="登录").click()

    page.locator(f"[data-job='{plant.today.number}']").click()
    page.get_by_role("button", name="开工").click()
    expect(page.get_by_role("button", name="生产中")).to_be_visible()
    page.locator("[data-add='10']").click()
    page.locator("[data-add='5']").click()
    page.locator("[data-field=scrap]").click()
    page.locator("[data-add='1']").click()
    expect(page.locator("[data-report]")).to_be_disabled()
    page.get_by_role("radio", name="划伤").click()
    page.locator("[data-report]").dblclick()
    expect(page.locator("[data-good]")).to_have_text("15")
    undo = page.get_by_role("button", name="撤销")
    expect(undo).to_be_visible()
    expect(page.get_by_text("不良 1").first).to_be_visible()
    made = OperationReport.objects.get()
    assert (made.good, made.scrap) == (15, 1)

    undo.click()
    expect(page.locator("[data-good]")).to_have_text("0")
    made.refresh_from_db()
    assert made.reversed_at is not None

    page.locator("button.state").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="稍后补原因").click()
    dialog.locator("[data-lasting]").get_by_role("button", name="8 小时").click()
    expect(dialog.get_by_text("预计 03-02 16:")).to_be_visible()  # by the plant's clock
    stop = MachineState.objects.get(state="stopped", ended_at=None)
    assert stop.expected_until is not None and round((stop.expected_until - stop.began_at).total_seconds() / 3600) == 8


def test_goods_come_from_the_supplier_through_the_door_past_quality(busy_plant: Plant, windows: Open) -> None:
    """The supplier confirms and announces, the warehouse receives with the phone, quality measures and accepts."""
    supplier = windows("portal").sign_in("mill")
    card = supplier.locator("[data-order]", has=supplier.get_by_role("button", name="按要求确认", exact=True))
    number = card.get_attribute("data-order")
    card.get_by_role("button", name="按要求确认", exact=True).click()
    expect(supplier.locator(f"[data-order='{number}']")).to_contain_text("已确认")
    supplier.locator(f"[data-order='{number}']").get_by_role("button", name="通知发货").click()
    dialog = supplier.get_by_role("dialog")
    dialog.locator("[data-lot]").fill("MILL-7781")
    dialog.get_by_label("预计到达").first.fill("2026-03-12")
    dialog.get_by_role("button", name="通知发货").click()
    notice = supplier.locator("[data-asn]").first
    expect(notice).to_be_visible()
    asn = notice.get_attribute("data-asn") or ""

    phone = windows("phone").sign_in("warehouse", "/receive")
    expect(
        phone.get_by_text("近三天没有到货")
    ).to_be_visible()  # it comes early: not looked for, but found by its notice
    phone.keyboard.type(asn, delay=5)
    phone.keyboard.press("Enter")
    quality = windows("office").sign_in("quality", "/quality")
    phone.locator("[data-receive]").click()
    expect(phone.get_by_text("已收货")).to_be_visible()

    expect(quality.locator("[data-inspection]").first).to_be_visible(timeout=SOON)
    expect(quality.get_by_text("MILL-7781").first).to_be_visible()
    cells = quality.locator(".cell input")
    cells.nth(0).fill("12.3")
    expect(quality.locator(".cell.fail")).to_have_count(1)
    for index in range(3):
        cells.nth(index).fill("12.05")
    expect(quality.locator(".cell.pass")).to_have_count(3)
    quality.get_by_role("button", name="保存读数（3）").click()
    quality.get_by_role("button", name="判定合格").click()
    expect(quality.get_by_text("没有待检的")).to_be_visible()
    lot = Lot.objects.get(supplier_lot="MILL-7781")
    assert lot.status == "usable" and busy_plant.stock("STEEL") > 0

    phone.goto(urljoin(phone.url, "/phone/ship"))
    phone.get_by_text(busy_plant.shipment.number).click()
    phone.locator("[data-step=pick_shipment]").click()
    phone.locator("[data-step=pack]").click()
    phone.locator("[data-step=dispatch_shipment]").click()
    phone.get_by_role("dialog").get_by_role("button", name="发运").click()
    phone.locator("[data-step=record_proof]").click()
    proof = phone.get_by_role("dialog")
    proof.get_by_role("button", name="签收").click()
    expect(proof.get_by_text("必填")).to_be_visible()
    proof.locator("[data-field=receiver] input").fill("冯磊")
    proof.get_by_role("button", name="签收").dblclick()
    expect(proof).to_have_count(0)
    assert Shipment.objects.get(pk=busy_plant.shipment.pk).status == "delivered"


def test_an_administrator_lists_creates_imports_and_speaks_english(plant: Plant, windows: Open, tmp_path) -> None:
    """The generic screens: a list, a new record, a file tried and imported, and the language changed on the way."""
    page = windows("office").sign_in("admin", "/list/catalog/item")
    expect(page.get_by_role("row")).to_have_count(6)
    page.get_by_role("button", name="新建物料").click()
    page.locator("[data-field=code] input").fill("SEAL")
    page.locator("[data-field=name] input").fill("密封圈")
    unit = page.locator("[data-field=base_unit] input")
    unit.click()
    unit.press_sequentially("pcs")
    page.get_by_role("option", name=re.compile("pcs")).click()
    page.get_by_role("button", name="新建物料").click()
    expect(page).to_have_url(re.compile("/doc/catalog/item/"))
    expect(page.get_by_text("SEAL").first).to_be_visible()

    page.goto(urljoin(page.url, "/do/production/create_work_order"))
    due = page.locator("[data-field=due_at]")
    due.get_by_role("button", name="现在").click()
    expect(due.locator("input").first).to_have_value("2026-03-02")  # the plant's day, not this machine's

    change = urljoin(page.url, f"/doc/catalog/item/{plant.item('STEEL').id}/edit")
    other = windows("office").sign_in("admin")
    for each, field, text in ((page, "name", "钢板 12"), (other, "name_en", "Steel plate 12")):
        each.goto(change)
        each.locator(f"[data-field={field}] input").fill(text)
    for each in (page, other):
        each.get_by_role("button", name="修改物料").click()
    other.locator("[data-renew]").click()  # what I typed stays, what the other one changed too
    expect(other.locator("[data-field=name] input")).to_have_value("钢板 12")
    other.get_by_role("button", name="修改物料").click()
    expect(other).to_have_url(re.compile(r"/doc/catalog/item/[^/]+$"))
    steel = plant.item("STEEL")
    assert (steel.name, steel.name_en) == ("钢板 12", "Steel plate 12")

    file = tmp_path / "items.csv"
    file.write_text("code,name,base_unit\nRING,挡圈,pcs\n,没有编码,pcs\n", encoding="utf-8")
    page.goto(urljoin(page.url, "/import/catalog/item"))
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="试运行").click()
    expect(page.get_by_text("有错误").first).to_be_visible()
    file.write_text("code,name,base_unit\nRING,挡圈,pcs\n", encoding="utf-8")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="试运行").click()
    page.get_by_role("button", name="写入", exact=True).click()
    expect(page.get_by_text("已写入").first).to_be_visible()

    page.get_by_role("button", name="EN").click()
    expect(page.get_by_role("link", name="Plan board")).to_be_visible()
    page.goto(urljoin(page.url, "/list/catalog/item"))
    expect(page.get_by_role("row")).to_have_count(8)
    assert "物料" not in page.locator("main").inner_text()


def test_wrong_passwords_are_refused_and_then_locked_out(plant: Plant, windows: Open) -> None:
    """One sentence for a wrong login and a wrong password; after too many tries a wait, counted down."""
    window = windows("office")
    page = window.page
    page.goto(f"{window.base}/login")

    def attempt(login: str, password: str) -> None:
        page.locator("input").first.fill(login)
        page.locator("input[type=password]").fill(password)
        page.locator("button[type=submit]").click()

    attempt("nobody-here", "wrong-password-1")
    expect(page.get_by_role("alert")).to_be_visible()
    unknown = page.get_by_role("alert").inner_text()
    attempt("sales", "wrong-password-1")
    expect(page.get_by_role("alert")).to_have_text(unknown)
    enter = page.locator("button[type=submit]")
    alert, answered = page.get_by_role("alert"), "/login"
    for _ in range(8):
        if re.search(r"\d+ 秒", alert.inner_text()):
            break
        with page.expect_response(lambda answer: answered in answer.url and answer.request.method == "POST"):
            attempt("sales", "wrong-password-1")
        page.wait_for_timeout(250)
    expect(enter).to_be_disabled()
    expect(alert).to_contain_text(re.compile(r"\d+ 秒"))

    window.page.reload()
    attempt("sales", PASSWORD)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page).to_have_url(re.compile("/login"))
    windows("office").sign_in("planner")
