"""A plant full of people: who sits where, what they look at and do, and how often. Run as a process of its own:

    python -m tests.bench.office PORT PLANT_JSON SECONDS PACE

It prints, as JSON, how long each kind of request took. One epoll loop and plain sockets, so that it costs little beside
what it measures. What a screen does upon news, this does too: whoever shows the plan reads it again when the plan has
changed, gathering news as `web/src/live/useLive.ts` does (within 0.15 s in calm, up to five seconds apart in a stream).

The pace (1.0), realistic for a plant of this size:
office   300  opens a list, a record, the home page or a board each 10 to 20 s; one order (command) a minute
terminal 100  reports a piece each 30 s and reads its station again
partner   20  opens the portal each 30 s
Everybody holds one live line for his site (partners: for their party), as the apps do.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import random
import re
import select
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lianzao.values.time import uuid7

OFFICE, TERMINALS, PARTNERS = 300, 100, 20
SALES_ORDERS, PRODUCTS = 400, 20
VIEW_S, COMMAND_S, REPORT_S, PORTAL_S = (10.0, 20.0), 60.0, 30.0, 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S, SPREAD_S = 0.25, 5.0, 0.15
#: A browser is given one and sends it back; Django only compares the two.
CSRF = "b" * 32
ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")

#: Run inside the product once; prints what the clients need.
SET_UP = """
import json
from tests.bench.office import furnish
print(json.dumps(furnish()))
"""


def furnish() -> dict[str, Any]:
    """The plant: products with a work center each, an order on each terminal, customers' orders, people."""
    from datetime import UTC, datetime, timedelta
    from decimal import Decimal

    from django.db import transaction

    from lianzao.access import commands as access
    from lianzao.access import sessions
    from lianzao.access.models import Role, Site
    from lianzao.catalog.models import Item
    from lianzao.engineering.commands import (
        ComponentLine,
        OperationLine,
        approve_bom,
        approve_routing,
        enter_bom,
        enter_routing,
    )
    from lianzao.foundation import registry
    from lianzao.foundation.actor import system_actor
    from lianzao.foundation.command import run
    from lianzao.inventory import commands as inventory
    from lianzao.plant.commands import set_up_site
    from lianzao.plant.queries import virtual_location
    from lianzao.production import commands as production
    from lianzao.production.models import WorkOrderOperation
    from lianzao.sales import commands as sales
    from lianzao.values.reference import Ref

    registry.load()
    system = system_actor("bench")
    site: Any = run(system, "access.create_site", {"code": "OFFICE", "name": "OFFICE", "time_zone": "Asia/Shanghai"})
    by = system_actor("bench", site=site.id)
    set_up_site(by, site_id=site.id)
    here = {"site_id": str(site.id)}

    def make(kind: str, code: str, **more: Any) -> Any:
        room, _, entity = kind.partition(".")
        given = {name: str(value.id) if hasattr(value, "id") else value for name, value in more.items()}
        return run(by, f"{room}.create_{entity}", {"code": code, "name": code, **given})

    piece = make("catalog.unit", "pc")
    store = make("plant.location", "STORE", location_kind="store", **here)
    line = make("plant.location", "LINE", location_kind="line", **here)
    receipt = Ref("procurement.goods_receipt", uuid7())
    products: list[Item] = []
    centers: list[Any] = []

    def item(code: str, supply: str, tracking: str, by_report: bool) -> Item:
        made: Item = make("catalog.item", code, base_unit=piece, supply=supply, tracking=tracking)
        run(by, "catalog.create_item_site", {
            "item": str(made.id), "standard_cost": "1", "backflush": by_report, "store_location_id": str(store.id),
            **here,
        })  # fmt: skip
        return made

    for number in range(PRODUCTS):
        parts = [item(f"PART-{number:02}-{each}", "buy", "lot", True) for each in range(3)]
        for part in parts:
            lot = inventory.make_lot(by, item=part, number=f"L-{part.code}", site_id=site.id)
            supplier = virtual_location(site.id, "supplier")
            inventory.post_moves(
                by, moves=[inventory.MoveLine(part.id, Decimal(10_000_000), supplier, line.id, lot.id)], cause=receipt
            )
        center = make("plant.work_center", f"WC-{number:02}", line_location=line, output_location=store, **here)
        product = item(f"PRODUCT-{number:02}", "make", "lot", False)
        needed = [ComponentLine(component=part, quantity_per=Decimal(1), operation_sequence=10) for part in parts]
        approve_bom(by, bom=enter_bom(by, item=product, revision="A", lines=needed))
        steps = [OperationLine(sequence=10, name="make", work_center=center, run_minutes=Decimal("0.5"))]
        approve_routing(by, routing=enter_routing(by, item=product, revision="A", operations=steps))
        products.append(product)
        centers.append(center)

    soon = datetime.now(UTC)
    stations: list[dict[str, str]] = []
    for number in range(TERMINALS):
        order = production.create_work_order(
            by, item=products[number % PRODUCTS], quantity=Decimal(400), due_at=soon + timedelta(days=5 + number // 10)
        )
        production.release_work_order(by, work_order=order)
        operation = WorkOrderOperation.objects.get(work_order_id=order.id)
        stations.append({"operation": str(operation.id), "center": str(centers[number % PRODUCTS].id)})
    customers = [make("parties.party", f"CUSTOMER-{number:02}", is_customer=True) for number in range(PARTNERS)]
    for number in range(SALES_ORDERS):
        lines = [sales.OrderLine(item=products[number % PRODUCTS], quantity=Decimal(20))]
        wanted = (soon + timedelta(days=10 + number % 40)).date()
        sold = sales.enter_order(by, customer=customers[number % PARTNERS], lines=lines, requested_on=wanted)
        sales.confirm_order(by, order=sold)

    roles = {role.code: role for role in Role.objects.all()}
    place = Site.objects.get(pk=site.id)

    def keys(kind: str, count: int, role: str, partners: list[Any] | None = None) -> list[str]:
        made = []
        for number in range(count):
            partner = partners[number].id if partners else None
            person = access.create_person(system, login=f"{kind}-{number}", name=kind, partner_id=partner)
            access.assign_role(system, person=person, role=roles[role], site=None if partner else place)
            made.append(sessions.open_session(person.id, site_id=site.id).key)
        return made

    with transaction.atomic():
        people = {
            "sales": keys("sales", OFFICE * 4 // 10, "sales"),
            "planner": keys("planner", OFFICE * 3 // 10, "planner"),
            "lead": keys("lead", OFFICE - OFFICE * 4 // 10 - OFFICE * 3 // 10, "lead"),
            "operator": keys("operator", TERMINALS, "operator"),
            "partner": keys("partner", PARTNERS, "customer", customers),
        }
    return {
        "site": str(site.id), "people": people, "stations": stations,
        "customers": [str(each.id) for each in customers], "products": [str(each.id) for each in products],
    }  # fmt: skip


# -- the clients ------------------------------------------------------------------------------------------------------


@dataclass
class Screen:
    """What somebody has before him: what was read for it, and which news makes it read again."""

    reads: list[tuple[str, str]] = field(default_factory=list)  # name for the report, path
    words: tuple[bytes, ...] = ()  # any of these in a piece of news
    ids: set[bytes] = field(default_factory=set)  # or one of these records
    pause_s: float = FIRST_PAUSE_S
    read_at: float = float("-inf")
    planned: bool = False


class Connection:
    """One kept connection of a browser; requests wait their turn on it, as many as it has to ask."""

    def __init__(self, load: Load, head: bytes) -> None:
        self.load, self.head = load, head
        self.made = socket.create_connection(("127.0.0.1", load.port), timeout=30)
        self.made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.made.setblocking(False)
        self.asked: list[tuple[str, float, bytes, Callable[[bytes], None] | None]] = []
        self.sent = False
        self.data = b""
        load.watch(self.made, self.readable)

    def get(self, name: str, path: str, then: Callable[[bytes], None] | None = None) -> None:
        """Ask for a page."""
        self._ask(name, b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), self.head), then)

    def post(self, name: str, path: str, body: object, then: Callable[[bytes], None] | None = None) -> None:
        """Give an order with an id of its own."""
        data = json.dumps(body).encode()
        head = b"Content-Type: application/json\r\nIdempotency-Key: %b\r\nContent-Length: %d\r\n" % (
            str(uuid7()).encode(),
            len(data),
        )
        self._ask(name, b"POST %b HTTP/1.1\r\n%b%b\r\n%b" % (path.encode(), self.head, head, data), then)

    def _ask(self, name: str, request: bytes, then: Callable[[bytes], None] | None) -> None:
        self.asked.append((name, time.monotonic(), request, then))
        self._send()

    def _send(self) -> None:
        if self.sent or not self.asked:
            return
        name, _, request, then = self.asked[0]
        # From when it goes out: a browser has six connections, this person one.
        self.asked[0] = (name, time.monotonic(), request, then)
        self.made.send(request)
        self.sent = True

    def readable(self) -> None:
        """Take in what came."""
        piece = self.made.recv(1 << 20)
        if not piece:
            raise ConnectionError(f"closed while asking {self.asked[:1]}")
        self.data += piece
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.data[:end].lower()
        at = head.index(b"content-length:") + 15
        whole = end + 4 + int(head[at:].split(b"\r\n", 1)[0])
        if len(self.data) < whole:
            return
        body, self.data, self.sent = self.data[end + 4 : whole], self.data[whole:], False
        name, began, _, then = self.asked.pop(0)
        self.load.took[name].append(time.monotonic() - began)
        if not head.startswith(b"http/1.1 200"):
            self.load.refused[f"{name}: {body[:300].decode('utf-8', 'replace')}"] += 1
        elif then is not None:
            then(body)
        self._send()


class Person:
    """Somebody with a session: a connection, a live line, a screen."""

    def __init__(self, load: Load, key: str, topic: str) -> None:
        self.load = load
        head = f"Host: 127.0.0.1\r\nCookie: lianzao_session={key}; csrftoken={CSRF}\r\nX-CSRFToken: {CSRF}\r\n".encode()
        self.connection = Connection(load, head)
        self.screen = Screen()
        self.line = socket.create_connection(("127.0.0.1", load.port), timeout=30)
        self.line.sendall(b"GET /live?topics=%b HTTP/1.1\r\n%b\r\n" % (topic.encode(), head))
        self.line.setblocking(False)
        load.watch(self.line, self.hear)

    def show(self, screen: Screen) -> None:
        """Open a screen."""
        self.screen = screen
        for name, path in screen.reads:
            self.connection.get(name, path)

    def hear(self) -> None:
        """News on the line: read again what they change, at once or gathered."""
        piece = self.line.recv(1 << 20)
        if not piece:
            raise ConnectionError("a live line was closed")
        self.load.heard += piece.count(b"\nevent: ")
        screen = self.screen
        if screen.planned or not (screen.words or screen.ids):
            return
        if any(word in piece for word in screen.words) or (screen.ids and not screen.ids.isdisjoint(ID.findall(piece))):
            now, chance = time.monotonic(), self.load.chance
            calm = now - screen.read_at > 2 * screen.pause_s
            screen.pause_s = FIRST_PAUSE_S if calm else min(LONGEST_PAUSE_S, 2 * screen.pause_s)
            screen.planned = True
            rest = screen.read_at + screen.pause_s * chance.uniform(0.75, 1.25)
            self.load.at(max(now + chance.uniform(0, SPREAD_S), rest), lambda: self._again(screen))

    def _again(self, screen: Screen) -> None:
        screen.planned, screen.read_at = False, time.monotonic()
        if screen is self.screen:
            for name, path in screen.reads:
                self.connection.get(f"{name} (news)", path)


class Load:
    """The loop: sockets and what is due."""

    def __init__(self, port: int, plant: dict[str, Any], pace: float, seed: int = 7) -> None:
        self.port, self.plant, self.pace = port, plant, pace
        self.chance = random.Random(seed)
        self.took: defaultdict[str, list[float]] = defaultdict(list)
        self.refused: defaultdict[str, int] = defaultdict(int)
        self.heard = 0
        self.poll = select.epoll()
        self.sockets: dict[int, Callable[[], None]] = {}
        self.due: list[tuple[float, int, Callable[[], None]]] = []
        self.number = 0
        self.late = 0.0

    def watch(self, made: socket.socket, readable: Callable[[], None]) -> None:
        """Call when there is something to read."""
        self.sockets[made.fileno()] = readable
        self.poll.register(made.fileno(), select.EPOLLIN)

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do something at an instant."""
        self.number += 1
        heapq.heappush(self.due, (when, self.number, act))

    def every(self, seconds: tuple[float, float], act: Callable[[], None]) -> None:
        """Do something again and again, beginning at a random moment of its first round."""
        low, high = (each / self.pace for each in seconds)

        def round_() -> None:
            act()
            self.at(time.monotonic() + self.chance.uniform(low, high), round_)

        self.at(time.monotonic() + self.chance.uniform(0, high), round_)

    def run(self, seconds: float) -> None:
        """Let all this happen for a while."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            while self.due and self.due[0][0] <= now:
                when, _, act = heapq.heappop(self.due)
                self.late = max(self.late, now - when)
                act()
            wait = max(0.0, min(until, self.due[0][0] if self.due else until) - time.monotonic())
            for number, _ in self.poll.poll(wait):
                self.sockets[number]()


def people(load: Load) -> None:
    """Seat everybody."""
    plant, site = load.plant, load.plant["site"]
    for role in ("sales", "planner", "lead"):
        for key in plant["people"][role]:
            _office(load, Person(load, key, f"site:{site}"), role)
    for key, station in zip(plant["people"]["operator"], plant["stations"], strict=True):
        _terminal(load, Person(load, key, f"site:{site}"), station)
    for key, customer in zip(plant["people"]["partner"], plant["customers"], strict=True):
        portal = Screen([("portal", "/api/portals/customer")], (f'"customer:{customer}"'.encode(),))
        partner = Person(load, key, f"party:{customer},customer:{customer}")
        load.every(
            (PORTAL_S * 0.8, PORTAL_S * 1.2), lambda who=partner, what=portal: who.show(Screen(what.reads, what.words))
        )


PLAN_CHANGED = (b"event: planning.PlanChanged",)


def _office(load: Load, person: Person, role: str) -> None:
    site, kind = load.plant["site"], "production.work_order" if role == "lead" else "sales.sales_order"
    rows: list[str] = []

    def listed(body: bytes) -> None:
        rows[:] = [each["id"] for each in json.loads(body)["rows"]]

    def look() -> None:
        dice = load.chance.random()
        path = f"/api/{kind.replace('.', '/')}?limit=100"
        if not rows or dice < 0.45:
            person.screen = screen = Screen([("list", path)])

            def shown(body: bytes) -> None:
                listed(body)
                screen.ids = {each.encode() for each in rows}

            person.connection.get("list", path, shown)
        elif dice < 0.70:
            id = load.chance.choice(rows)
            page = f"/api/{kind.replace('.', '/')}/{id}" if role == "lead" else f"/api/overviews/order/{id}"
            name = "record" if role == "lead" else "order 360"
            person.screen = screen = Screen([(name, page)], (), {id.encode()})

            def opened(body: bytes, screen: Screen = screen) -> None:
                if role != "lead":  # its lines, what serves them, and their items: `orderTopics` of the page
                    for line in json.loads(body)["lines"]:
                        pegs = [each[key] for each in line["chain"] for key in ("id", "item")]
                        ids = [
                            line["id"],
                            line["item"]["id"],
                            *(each if isinstance(each, str) else each["id"] for each in pegs),
                        ]
                        screen.ids.update(each.encode() for each in ids)

            person.connection.get(name, page, opened)
        elif dice < 0.85:
            person.show(Screen([("home", f"/api/overviews/home?site={site}")], (b"\nevent: ",)))
        else:
            person.show(Screen([("plan board", f"/api/overviews/plan?site={site}")], PLAN_CHANGED))

    def order() -> None:
        if not rows:
            return
        person.connection.get("counts", "/api/alerts/inbox/counts")
        if role == "lead":
            body = {"item": load.chance.choice(load.plant["products"]), "quantity": "40", "due_at": _in_days(load, 30)}
            person.connection.post("create_work_order", "/api/production/create_work_order", body)
        elif load.chance.random() < 0.8:
            body = {"order": load.chance.choice(rows), "priority": load.chance.randint(1, 99)}
            person.connection.post("set_priority", "/api/sales/set_priority", body)
        else:
            _sell(load, person, role)

    load.every(VIEW_S, look)
    load.every((COMMAND_S * 0.7, COMMAND_S * 1.3), order)


def _sell(load: Load, person: Person, role: str) -> None:
    if role != "sales":
        return
    line = {"item": load.chance.choice(load.plant["products"]), "quantity": "5"}
    body = {
        "customer": load.chance.choice(load.plant["customers"]), "lines": [line],
        "requested_on": _in_days(load, 30)[:10],
    }  # fmt: skip

    def confirm(said: bytes) -> None:
        person.connection.post("confirm_order", "/api/sales/confirm_order", {"order": json.loads(said)["id"]})

    person.connection.post("enter_order", "/api/sales/enter_order", body, confirm)


def _in_days(load: Load, days: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400 * (days + load.chance.randint(0, 20))))


def _terminal(load: Load, person: Person, station: dict[str, str]) -> None:
    path = f"/api/overviews/station/{station['center']}"
    words = (b"event: production.WorkOrder", f'"work_center:{station["center"]}"'.encode())

    def opened(body: bytes) -> None:  # its orders and their material: `stationTopics` of the page
        for job in json.loads(body)["jobs"]:
            person.screen.ids.add(job["work_order_id"].encode())
            person.screen.ids.update(each["item"]["id"].encode() for each in job["kit"])

    def open_() -> None:
        person.screen = Screen([("station", path)], words)
        person.connection.get("station", path, opened)

    load.at(time.monotonic() + load.chance.uniform(0, 10), open_)

    def report() -> None:
        body = {"operation": station["operation"], "good": "1"}
        person.connection.post("report_operation", "/api/production/report_operation", body)

    load.every((REPORT_S * 0.7, REPORT_S * 1.3), report)


def told(took: dict[str, list[float]]) -> Iterator[tuple[str, dict[str, float]]]:
    """Of each kind: how many, and the centiles in milliseconds; and of all."""
    every = [each for values in took.values() for each in values]
    for name, values in [("all", every), *sorted(took.items())]:
        rank = sorted(values)
        if rank:
            place = {
                f"p{int(share * 100)}": round(rank[int((len(rank) - 1) * share)] * 1000, 1)
                for share in (0.5, 0.95, 0.99)
            }
            yield name, {"count": len(rank)} | place | {"most": round(rank[-1] * 1000, 1)}


def main() -> None:
    """Load the product and say how it went."""
    port, plant, seconds, pace = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    with open(plant, encoding="utf-8") as file:
        load = Load(port, json.load(file), pace)
    people(load)
    load.run(min(20.0, 10.0 + seconds / 20))  # everybody has come in and opened a first screen
    load.took.clear()
    load.heard, load.late = 0, 0.0
    began = time.process_time()
    with contextlib.suppress(KeyboardInterrupt):
        load.run(seconds)
    print(json.dumps({
        "took": dict(told(load.took)), "heard": load.heard, "refused": dict(load.refused), "seconds": seconds,
        "client_core": round((time.process_time() - began) / seconds, 2), "client_late_ms": round(load.late * 1000, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
