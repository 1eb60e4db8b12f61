"""The plant's master data by public commands: site, places, people, items, bills, routings, partners, prices, stock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from demo.reading import document, grouped, table
from lianzao.access import commands as access
from lianzao.access.models import Site
from lianzao.access.queries import site_by_code
from lianzao.catalog.models import Item
from lianzao.engineering import commands as engineering
from lianzao.foundation.actor import Actor, system_actor
from lianzao.foundation.command import run
from lianzao.inventory import commands as inventory
from lianzao.parties.models import Party
from lianzao.planning import commands as planning
from lianzao.planning.queries import policy_of
from lianzao.plant import commands as plant
from lianzao.plant.models import Location, WorkCenter
from lianzao.production import commands as production

D = Decimal

UNITS = (
    ("pc", "件", "Piece", "count", 0),
    ("kg", "千克", "Kilogram", "mass", 3),
    ("m", "米", "Metre", "length", 2),
)
GROUPS = (
    ("G-FIN", "产成品", "Finished products", ""),
    ("G-EDU", "电驱动总成", "Drive units", "G-FIN"),
    ("G-GBX", "减速器总成", "Reducers", "G-FIN"),
    ("G-SUB", "部件", "Subassemblies", ""),
    ("G-PART", "自制零件", "Made parts", ""),
    ("G-BUY", "外购件", "Bought goods", ""),
    ("G-RAW", "原材料", "Raw material", "G-BUY"),
    ("G-MAG", "铁芯与磁钢", "Cores and magnets", "G-BUY"),
    ("G-STD", "标准件与耗材", "Standard parts", "G-BUY"),
    ("G-ELE", "电子电气件", "Electric parts", "G-BUY"),
)
#: What the product may do by itself in the demo plant: cheap material is asked for, the line is fed, times follow.
POLICIES: dict[str, dict[str, Any]] = {
    "requisition": {"mode": "act", "most_value": D(1500)},
    "line_replenishment": {"mode": "act"},
    "reschedule": {"mode": "act", "most_hours": 240, "most_per_day": 2000},
    "release_to_ship": {"mode": "suggest"},
}


@dataclass
class Masters:
    """What was made, by the codes of the data files."""

    by: Actor
    site: Site
    items: dict[str, Item] = field(default_factory=dict)
    parties: dict[str, Party] = field(default_factory=dict)
    locations: dict[str, Location] = field(default_factory=dict)
    centers: dict[str, WorkCenter] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def site_id(self) -> UUID:
        """The site's id."""
        return self.site.id

    def make(self, kind: str, **body: Any) -> Any:
        """Carry out the generic create command of a kind; records may be given for their ids."""
        room, _, entity = kind.partition(".")
        plain = {name: str(value.id) if hasattr(value, "id") else value for name, value in body.items()}
        return run(self.by, f"{room}.create_{entity}", plain)

    def named(self, kind: str, row: dict[str, Any], **more: Any) -> Any:
        """A master record from a row with code and names; remembered under its code."""
        body = {"code": row["code"], "name": row["name"], "name_en": row.get("name_en", ""), **more}
        self.made[row["code"]] = self.make(kind, **body)
        return self.made[row["code"]]


def build_masters(by: Actor) -> Masters:
    """Everything that does not change with the days."""
    data = document("plant")
    run(by, "access.create_site", data["site"])
    site = site_by_code(data["site"]["code"])
    masters = Masters(system_actor(by.name, site=site.id) if by.kind == "system" else by, site)
    plant.set_up_site(masters.by, site_id=site.id)
    _places(masters, data)
    _centers(masters, data)
    _items(masters)
    _structures(masters)
    _partners(masters)
    _reasons_and_plans(masters, data)
    _rules(masters, data)
    return masters


def _places(masters: Masters, data: dict[str, Any]) -> None:
    for row in data["areas"]:
        masters.named("plant.area", row, site_id=str(masters.site_id))
    for row in data["locations"]:
        masters.locations[row["code"]] = masters.named(
            "plant.location",
            row,
            site_id=str(masters.site_id),
            location_kind=row["location_kind"],
            area=masters.made[row["area"]],
        )


def _centers(masters: Masters, data: dict[str, Any]) -> None:
    week = data["calendar"]
    calendar = masters.named("plant.calendar", week)
    shifts = [
        plant.ShiftHours(day, time.fromisoformat(one["starts_at"]), time.fromisoformat(one["ends_at"]), one["name"])
        for day in week["weekdays"]
        for one in week["shifts"]
    ]
    plant.set_shifts(masters.by, calendar=calendar, shifts=shifts)
    for row in data["work_centers"]:
        center = masters.named(
            "plant.work_center",
            row,
            site_id=str(masters.site_id),
            area=masters.made[row["area"]],
            calendar=calendar,
            capacity=len(row["machines"]),
            cost_rate=row["cost_rate"],
            line_location=masters.locations[row["line"]],
            output_location=masters.locations[row["output"]],
        )
        masters.centers[row["code"]] = center
        for machine in row["machines"]:
            masters.named(
                "plant.machine",
                machine,
                work_center=center,
                maker=machine["maker"],
                model_name=machine["model_name"],
            )
        access.register_station(
            masters.by,
            code=row["code"].replace("WC-", "TERM-"),
            name=f"{row['name']}工位机",
            name_en=f"{row['name_en']} terminal",
            site=masters.site,
            work_center_id=center.id,
        )
    for code, name, name_en, screens in (
        ("WALL-HALL", "总装车间大屏", "Assembly hall", ["plan_load", "order_progress"]),
        ("WALL-LOBBY", "办公楼大厅大屏", "Office lobby", ["order_progress"]),
        ("WALL-STORE", "仓库与质量大屏", "Stores and quality", ["stock_use", "quality_trace", "supplier_performance"]),
    ):
        access.register_display(
            masters.by, code=code, name=name, name_en=name_en, site=masters.site, screens=screens, dwell_seconds=30
        )
    for row in data["skills"]:
        masters.named("plant.skill", row, expires_after_days=row["expires_after_days"])


def _items(masters: Masters) -> None:
    units = {
        code: masters.make("catalog.unit", code=code, name=name, name_en=name_en, unit_kind=kind, decimals=decimals)
        for code, name, name_en, kind, decimals in UNITS
    }
    groups: dict[str, Any] = {}
    for code, name, name_en, parent in GROUPS:
        above = {"parent": groups[parent]} if parent else {}
        groups[code] = masters.make("catalog.item_group", code=code, name=name, name_en=name_en, **above)
    masters.made |= groups
    for row in table("items"):
        shelf = {"shelf_life_days": int(row["shelf_days"])} if row["shelf_days"] else {}
        item = masters.named(
            "catalog.item",
            row,
            group=groups[row["group"]],
            base_unit=units[row["unit"]],
            supply=row["supply"],
            tracking=row["tracking"],
            step=row["step"],
            weight_kg=row["weight_kg"],
            specification=row["specification"],
            **shelf,
        )
        masters.items[row["code"]] = item
        masters.make(
            "catalog.item_site",
            item=item,
            site_id=str(masters.site_id),
            lead_time_days=int(row["lead_days"]),
            lot_minimum=row["lot_minimum"],
            lot_multiple=row["lot_multiple"],
            cover_days=int(row["cover_days"]),
            safety_stock=row["safety_stock"],
            standard_cost=row["cost"],
            store_location_id=str(masters.locations[row["store"]].id),
            backflush=row["backflush"] == "1",
            inspect_on_receipt=row["inspect"] == "1",
        )


def _structures(masters: Masters) -> None:
    for code, rows in grouped(table("boms"), "item").items():
        lines = [
            engineering.ComponentLine(
                component=masters.items[row["component"]],
                quantity_per=D(row["quantity"]),
                scrap_percent=D(row["scrap_percent"]),
                operation_sequence=int(row["operation"]),
            )
            for row in rows
        ]
        engineering.enter_bom(masters.by, item=masters.items[code], revision="A", lines=lines, approve=True)
    instructions = _instructions()
    for code, rows in grouped(table("routings"), "item").items():
        operations = [
            engineering.OperationLine(
                sequence=int(row["sequence"]),
                name=row["name"],
                name_en=row["name_en"],
                work_center=masters.centers[row["work_center"]],
                setup_minutes=D(row["setup"]),
                run_minutes=D(row["run"]),
                queue_minutes=D(row["queue"]),
                inspect=row["inspect"] == "1",
            )
            for row in rows
        ]
        routing = engineering.enter_routing(masters.by, item=masters.items[code], revision="A", operations=operations)
        for operation in routing.operations.select_related("work_center"):
            steps = instructions.get(operation.work_center.code)
            if steps:
                engineering.set_operation_steps(masters.by, routing_operation=operation, steps=steps)
        engineering.approve_routing(masters.by, routing=routing)


def _instructions() -> dict[str, list[engineering.StepLine]]:
    """The steps of instruction, by work center: what is done there is much alike for all items."""
    return {
        center: [
            engineering.StepLine(
                text=row["text"],
                text_en=row["text_en"],
                capture=engineering.Capture(row["capture"]),
                unit_text=row["unit"],
                lower=D(row["lower"]) if row["lower"] else None,
                upper=D(row["upper"]) if row["upper"] else None,
                required=row["required"] == "1",
            )
            for row in rows
        ]
        for center, rows in grouped(table("instructions"), "work_center").items()
    }


def _partners(masters: Masters) -> None:
    data = document("partners")
    for kind, role in (("suppliers", "is_supplier"), ("customers", "is_customer"), ("carriers", "is_carrier")):
        for row in data[kind]:
            names = ("tier", "language", "transit_days", "phone", "email", "address", "country")
            body = {name: row[name] for name in names if name in row}
            party = masters.named("parties.party", row, **{role: True}, **body)
            masters.parties[row["code"]] = party
            if "contact" in row:
                masters.make(
                    "parties.contact", party=party, name=row["contact"], phone=row["phone"], email=row["email"],
                    is_main=True,
                )  # fmt: skip
    for row in table("prices"):
        masters.make(
            "procurement.supplier_item",
            supplier=masters.parties[row["supplier"]],
            item=masters.items[row["item"]],
            supplier_code=row["supplier_code"],
            price=row["price"],
            minimum=row["minimum"],
            multiple=row["multiple"],
            lead_time_days=int(row["lead_days"]),
            preferred=row["preferred"] == "1",
            share=row["share"],
            over_percent=row["over_percent"],
        )


def _reasons_and_plans(masters: Masters, data: dict[str, Any]) -> None:
    for row in data["scrap_reasons"]:
        masters.named("production.scrap_reason", row)
    for row in data["stop_reasons"]:
        masters.named("equipment.stop_reason", row, planned=row["planned"])
    for row in data["inspection_plans"]:
        about = {"item": masters.items[row["item"]]} if "item" in row else {"group": masters.made[row["group"]]}
        plan = masters.named(
            "quality.inspection_plan",
            row,
            point=row["point"],
            sample_pieces=row["sample_pieces"],
            duration_minutes=row["duration_minutes"],
            **about,
        )
        for place, each in enumerate(row["characteristics"], 1):
            masters.make("quality.characteristic", plan=plan, sequence=place, **each)


def _rules(masters: Masters, data: dict[str, Any]) -> None:
    planning.set_up_policies(masters.by, site=masters.site)
    for name, limits in POLICIES.items():
        policy = policy_of(masters.site_id, name)
        assert policy is not None, name
        planning.set_policy(masters.by, policy=policy, **limits)
    production.set_production_rule(masters.by, site_id=masters.site_id, over_report_percent=D(2))
    masters.make("logistics.sscc_range", site_id=str(masters.site_id), **data["sscc"])


@dataclass(frozen=True)
class Login:
    """One way into the demo plant."""

    login: str
    password: str
    role: str
    name: str
    name_en: str
    badge: str = ""
    pin: str = ""


def build_people(masters: Masters) -> list[Login]:
    """The shipped roles and one person for each, with the well-known password of the demo."""
    from lianzao.access.models import Role  # read only: roles are known by code

    data = document("people")
    access.set_up_roles(masters.by)
    roles = {role.code: role for role in Role.objects.all()}
    made: list[Login] = []
    for row in data["logins"]:
        partner = masters.parties[row["partner"]].id if "partner" in row else None
        person = access.create_person(
            masters.by,
            login=row["login"],
            name=row["name"],
            name_en=row["name_en"],
            partner_id=partner,
            password=data["password"],
            demo=True,
        )
        access.assign_role(masters.by, person=person, role=roles[row["role"]])
        if "badge" in row:
            access.set_badge(masters.by, person=person, badge=row["badge"], pin=row["pin"])
        if row["login"] == "lead":
            production.set_production_rule(
                masters.by, site_id=masters.site_id, over_report_percent=D(2), uncovered_owner_id=person.id
            )
        made.append(
            Login(
                row["login"], data["password"], row["role"], row["name"], row["name_en"], row.get("badge", ""),
                row.get("pin", ""),
            )
        )  # fmt: skip
    _crew(masters, data, roles["operator"])
    return made


def _crew(masters: Masters, data: dict[str, Any], role: Any) -> None:
    """The operators beside the one with a login for visitors: they come by badge, and are seen on the shift board."""
    for row in data["crew"]:
        person = access.create_person(
            masters.by, login=row["login"], name=row["name"], name_en=row["name_en"], password=data["password"],
            demo=True,
        )  # fmt: skip
        access.assign_role(masters.by, person=person, role=role)
        access.set_badge(masters.by, person=person, badge=row["badge"], pin=row["pin"])


def open_stock(masters: Masters, rows: Iterable[dict[str, str]], now: datetime) -> None:
    """The stock that was there before the system was, with its lots."""
    lots: dict[tuple[str, str], Any] = {}
    lines: list[inventory.Opening] = []
    for row in rows:
        item = masters.items[row["item"]]
        lot = None
        if row["lot"]:
            key = (row["item"], row["lot"])
            lot = lots.get(key) or inventory.make_lot(
                masters.by,
                item=item,
                number=row["lot"],
                made_at=now - timedelta(days=int(row["age_days"])),
                site_id=masters.site_id,
            )
            lots[key] = lot
        lines.append(inventory.Opening(masters.locations[row["location"]], item, D(row["quantity"]), lot))
    inventory.open_balance(masters.by, lines=lines)
