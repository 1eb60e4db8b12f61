"""Build the demo plant: "联造示范工厂 / Lianzao Demo Works", which makes electric drive units.

Everything is entered by the public commands a user has, at virtual times, from the files of demo/data. On the opening
Monday at eight in the morning the plan is published and all promises but one are safe.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from demo import crew, floor, office
from demo.masters import Login, Masters, build_masters, build_people, open_stock
from demo.reading import Days, document, table
from demo.scene import SIMULATED, Scene
from demo.settling import settle
from demo.simulator import FLOOR_ONLY, Simulator
from demo.timeline import Timeline
from lianzao.access.models import Site
from lianzao.engine import solver
from lianzao.flows import order_to_delivery
from lianzao.foundation import clock, registry
from lianzao.foundation.actor import Actor, system_actor
from lianzao.planning import commands as planning
from lianzao.planning import queries as plans
from lianzao.sales import commands as sales
from lianzao.sales import queries as orders

#: Everybody's; it opens doors only while nothing but this machine can reach the server.
PASSWORD: str = document("people")["password"]
#: The zone of the plant.
ZONE = ZoneInfo(document("plant")["site"]["time_zone"])
#: The purchase whose shipment notice is tight and the order it serves, as the files of demo/data refer to them.
TIGHT_PURCHASE, TIGHT_ORDER = "P05", "S10"
#: How often other days are agreed before the doors open; each time the plan is made anew.
AGREEMENTS = 5
#: The order that is a little late from the start, and the purchase that made it so.
LATE_PURCHASE, LATE_ORDER = "P07", "S08"


@dataclass(frozen=True)
class Hint:
    """What to try: move this shipment by three days, and watch this order."""

    purchase_order: str
    asn: str
    asn_id: UUID
    order: str
    order_id: UUID
    late_purchase_order: str
    late_order: str

    def said(self, language: str) -> str:
        """The hint as a sentence."""
        if language.startswith("en"):
            return (
                f"Move shipment {self.asn} (purchase order {self.purchase_order}, SiC modules) by three days and watch"
                f" order {self.order} of Yuanhang Bus. Order {self.late_order} of Kuaiyi AGV is late already, because"
                f" {self.late_purchase_order} slipped."
            )
        return (
            f"把到货通知 {self.asn}（采购订单 {self.purchase_order}，碳化硅模块）推迟三天，"
            f"看远航客车的订单 {self.order}。"
            f"快易的订单 {self.late_order} 已略有延误，因为 {self.late_purchase_order} 推迟了。"
        )


@dataclass(frozen=True)
class Credentials:
    """What a visitor needs: the site, its opening instant, one login per role, and what to try."""

    site_id: UUID
    site_code: str
    opened_at: datetime
    logins: list[Login]
    hint: Hint


def is_built() -> bool:
    """Whether this database holds the demo plant."""
    return Site.objects.filter(code=document("plant")["site"]["code"]).exists()


def build(by: Actor | None = None, *, start: datetime | None = None) -> Credentials:
    """Build the plant as it stands at eight on the Monday of the week of `start` (by default now).

    Only the system may make demo people, so `by` (for tests) is a system actor. The database must be migrated and
    without this plant. The plant's shared clock is set, running at real speed; the simulator speeds it up.
    """
    registry.load()
    solver.warm()  # compiled once, and not while a transaction is open
    zone = document("plant")["site"]["time_zone"]
    days = Days.around(start or clock.real_now(), zone)
    opening = days.at(0)
    with clock.frozen(days.at(-28)):
        masters = build_masters(by or system_actor("demo"))
        logins = build_people(masters)
        _watch(masters)  # from the first day: what is over by the opening has closed its alert by itself
        open_stock(masters, table("stock"), clock.now())
        timeline = Timeline(masters, days)
        timeline.purchases()
        timeline.sales()
        timeline.work_orders()
        timeline.play(days.at(-3))
        _work_into_the_week(masters, timeline, days)
        clock.freeze(opening)
        _open_up(timeline.scene(opening), timeline)
        hint = _hint(timeline)
    clock.set_virtual(opening)
    return Credentials(masters.site_id, masters.site.code, opening, logins, hint)


def _watch(masters: Masters) -> None:
    """The watches of the alerts room, when it stands."""
    if importlib.util.find_spec("lianzao.alerts") is None:
        return
    alerts: Any = importlib.import_module("lianzao.alerts.commands")
    alerts.set_up_watches(masters.by)


def _work_into_the_week(masters: Masters, timeline: Timeline, days: Days) -> None:
    """On Friday afternoon the plan is made; on Saturday its first orders are released, and work begins."""
    timeline.play(days.at(-3, "17:00"))
    clock.freeze(days.at(-3, "17:00"))
    settle()
    scene = timeline.scene(clock.now())
    _accept(scene, make_days=12, buy_days=0)
    settle()
    people = Simulator(masters.site_id, document("people")["habits"] | {"hands_off_hours": 0})
    for hour in (8, 9, 10, 12, 14, 16, 18, 20, 22):
        now = days.at(-2, f"{hour:02d}:30")
        timeline.play(now)
        clock.freeze(now)
        people.step(now, FLOOR_ONLY)
        settle(plan=False)
    timeline.play(days.at(0))


def _open_up(scene: Scene, timeline: Timeline) -> None:
    """On Monday machines and people come; the plan is made anew, what is due is accepted, promises are given."""
    floor.switch_on(scene)
    crew.write_note(scene, "opening one")
    crew.write_note(scene, "opening two")
    crew.man(scene)
    planning.plan_site(scene.actor("planner"), site=scene.site_id, why="周一早会 Monday meeting")
    settle()
    _accept(scene, make_days=5, buy_days=2)
    settle()
    promised = [row["ref"] for row in table("sales") if row["promise"] == "plan"]
    for ref in dict.fromkeys(promised):
        order_to_delivery.promise_order(scene.actor("sales"), order=timeline.papers[ref])
    for _ in range(AGREEMENTS):
        planning.plan_site(scene.actor("planner"), site=scene.site_id, why="承诺之后 after the promises")
        settle()
        if not _agree(scene, timeline):
            break
    for each in plans.open_messages(scene.site_id):
        if each.action in office.KEPT_BY_PLANNER and each.subject_kind.startswith("procurement."):
            planning.reject_remedy(scene.actor("planner"), message=each.id, why=office.KEPT, _why=SIMULATED)
    settle()


def _agree(scene: Scene, timeline: Timeline) -> int:
    """Where the plan is later than our word, or than the wish, another day is agreed with the customer by telephone."""
    agreed = 0
    late, tight = timeline.papers[LATE_ORDER].id, timeline.papers[TIGHT_ORDER].id
    for each in orders.open_lines(scene.site_id):
        outlook = plans.outlook_of(each["line_id"])
        due = each["promised_on"] or each["requested_on"]
        if each["order_id"] == late or outlook is None or outlook.projected_at is None:
            continue
        projected = outlook.projected_at.astimezone(scene.zone).date()
        if projected <= due:
            continue
        spare = timedelta(days=0 if each["order_id"] == tight else 1)
        agreed += 1
        if each["promised_on"] is None:
            sales.promise_line(scene.actor("sales"), line=each["line_id"], promised_on=projected + spare)
            continue
        offer = sales.offer_new_promise(scene.actor("sales"), line=each["line_id"], new_on=projected + spare)
        sales.accept_promise(
            scene.voice_of(each["customer_id"], "sales"), promise=offer, answer="电话确认 agreed by telephone"
        )
    return agreed


def _accept(scene: Scene, *, make_days: int, buy_days: int) -> None:
    ahead = {"make": timedelta(days=make_days), "buy": timedelta(days=buy_days)}
    chosen = [
        each.id
        for each in plans.open_proposals(scene.site_id)
        if each.start_at <= scene.now + ahead.get(each.kind_of_order, timedelta(0))
    ]
    if chosen:
        planning.accept_proposals(scene.actor("planner"), proposals=chosen, _why=SIMULATED)


def _hint(timeline: Timeline) -> Hint:
    papers = timeline.papers
    asn = papers[f"{TIGHT_PURCHASE} asn"]
    return Hint(
        purchase_order=papers[TIGHT_PURCHASE].number,
        asn=asn.number,
        asn_id=asn.id,
        order=papers[TIGHT_ORDER].number,
        order_id=papers[TIGHT_ORDER].id,
        late_purchase_order=papers[LATE_PURCHASE].number,
        late_order=papers[LATE_ORDER].number,
    )
