"""The live line with its real process: who hears what, late committers, coming back, ended sessions, slow readers.

Lines are asked for over its socket, and handed to it as the front does.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from lianzao.access import commands as access
from lianzao.access import passwords, sessions
from lianzao.access.models import Display, Person, Role, Site
from lianzao.foundation import packing, registry
from lianzao.foundation.actor import ALL, Actor, system_actor
from lianzao.foundation.command import run
from lianzao.foundation.hearing import Ear, News, kinds_by_entity, topics_of
from lianzao.values.time import uuid7
from project.config import ROOT
from project.handing import Hand
from project.supervisor import answers
from tests.processes import family

SYSTEM = system_actor("test")
INSERT = """
INSERT INTO foundation_event (id, name, at, recorded_at, order_id, site_id, payload, xid)
VALUES (%s, %s, clock_timestamp(), clock_timestamp(), %s, %s, %s::jsonb, pg_current_xact_id()::text::bigint)
"""


class Line:
    """One open line of a listener: asked of a socket, or handed over."""

    def __init__(self, way: str | Hand, topics: str, key: str, last: str = "") -> None:
        more = f"Last-Event-ID: {last}\r\n" if last else ""
        device = key.startswith(passwords.DISPLAY_PREFIX)
        who = f"Authorization: Bearer {key}" if device else f"Cookie: lianzao_session={key}"
        asked = f"GET /live?topics={topics} HTTP/1.1\r\nHost: here\r\n{who}\r\n{more}\r\n".encode()
        if isinstance(way, Hand):
            self.made, theirs = socket.socketpair()
            assert way.give(asked, theirs.fileno())
            theirs.close()
        else:
            self.made = socket.socket(socket.AF_UNIX)
            self.made.connect(way)
            self.made.sendall(asked)
        self.made.settimeout(8)
        self.file = self.made.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value.strip()
        self.last = ""
        self.rest = b""

    def body(self) -> dict[str, Any]:
        return json.loads(self.file.read(int(self.headers["content-length"])))

    def message(self) -> tuple[str, dict[str, Any]] | None:
        """The next message that is no ping; None when the line was closed."""
        while True:
            while b"\n\n" not in self.rest:
                piece = self._piece()
                if not piece:
                    return None
                self.rest += piece
            text, _, self.rest = self.rest.partition(b"\n\n")
            fields = dict(line.split(": ", 1) for line in text.decode().split("\n") if not line.startswith(":"))
            self.last = fields.get("id", self.last)
            if "data" in fields:
                return fields["event"], json.loads(fields["data"])

    def _piece(self) -> bytes:
        """A chunk, or a line where there are no chunks; empty at the end."""
        if "transfer-encoding" not in self.headers:
            return self.file.readline()
        size = self.file.readline()
        return self.file.read(int(size, 16) + 2)[:-2] if size and int(size, 16) else b""

    def news(self) -> dict[str, Any] | None:
        """The next message that is news."""
        while (found := self.message()) is not None and found[0] == "hello":
            pass
        return None if found is None else found[1]

    def close(self) -> None:
        self.file.close()
        self.made.close()


class Door:
    """A running live process on a database of its own."""

    def __init__(self, url: str, folder: Path, by_hand: bool) -> None:
        self.url = url
        self.path = str(folder / "live.sock")
        self.hand = str(folder / "hand.sock")
        self.way: str | Hand = Hand(self.hand) if by_hand else self.path
        self.lines: list[Line] = []
        self.connection = psycopg.connect(url, autocommit=True)
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        environ = {**os.environ, "LIANZAO_DATABASE_URL": self.url, "PYTHONPATH": str(ROOT)}
        order = [sys.executable, "-m", "project.processes", "live", "--socket", self.path, "--hand", self.hand]
        self.process = subprocess.Popen(order, env=environ, start_new_session=True)
        for _ in range(400):
            if answers(self.path, "/live/ready"):
                return
            time.sleep(0.05)
        raise AssertionError("the live process is not ready")

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def listen(self, topics: str, key: str, last: str = "") -> Line:
        """An open line, after its hello."""
        line = Line(self.way, topics, key, last)
        self.lines.append(line)
        assert line.status == 200, line.body()
        return line

    def tell(self, name: str, site: UUID | None = None, on: Any = None, **facts: Any) -> str:
        """Write an event as an order would, and wake the hub."""
        payload = packing.text(facts | ({"site_id": site} if site else {}))
        id = uuid7()
        (on or self.connection).execute(INSERT, [id, name, uuid7(), site, payload])
        self.connection.execute("NOTIFY lianzao")
        return str(id)

    def person(
        self, login: str, role: str, site: Site | None = None, partner: UUID | None = None
    ) -> tuple[Person, str]:
        """A person with a role, and the key of his open session."""
        access.create_person(SYSTEM, login=login, name=login, partner_id=partner)
        person = Person.objects.get(login=login)
        access.assign_role(SYSTEM, person=person, role=Role.objects.get(code=role), site=site)
        return person, sessions.open_session(person.id).key

    def close(self) -> None:
        for line in self.lines:
            line.close()
        self.connection.close()
        self.kill()


@pytest.fixture(params=["asked", "handed"])
def door(request: pytest.FixtureRequest, fresh_database: str, tmp_path: Path) -> Iterator[Door]:
    access.set_up_roles(SYSTEM)
    for code in ("SZ", "WH"):
        run(SYSTEM, "access.create_site", {"code": code, "name": code, "name_en": code})
    made = Door(fresh_database, tmp_path, by_hand=request.param == "handed")
    yield made
    made.close()


def test_who_hears_what(door: Door) -> None:
    shenzhen, wuhan = Site.objects.get(code="SZ"), Site.objects.get(code="WH")
    supplier, other = uuid7(), uuid7()
    _, planner = door.person("planner", "planner", shenzhen)
    _, keeper = door.person("keeper", "maintenance", shenzhen)
    _, partner = door.person("partner", "supplier", partner=supplier)

    assert Line(door.way, "procurement.ArrivalDelayed", "nobody").status == 401
    refused = Line(door.way, f"sales.OrderConfirmed,kind:sales.sales_order,site:{wuhan.id}", keeper)
    assert refused.status == 403 and refused.headers["content-type"] == "application/problem+json"
    assert refused.body()["code"] == "not_allowed"
    assert Line(door.way, "", planner).status == 422

    order = uuid7()
    by_name = door.listen("procurement.ArrivalDelayed", planner)
    by_record = door.listen(f"purchase_order:{order}", planner)
    by_kind = door.listen("kind:procurement.purchase_order", planner)
    stranger = door.listen(f"purchase_order:{order},kind:equipment.stop", keeper)
    outside = door.listen("procurement.ArrivalDelayed", partner)

    facts = {"purchase_order_id": order, "days": 3, "partner_ids": [supplier]}
    door.tell("procurement.ArrivalDelayed", wuhan.id, **facts)
    door.tell("procurement.ArrivalDelayed", shenzhen.id, **facts | {"partner_ids": [other], "days": 1})
    told = door.tell("procurement.ArrivalDelayed", shenzhen.id, **facts)
    last = door.tell("equipment.MachineStopped", shenzhen.id, purchase_order_id=order)

    for line in (by_name, by_record, by_kind):
        first, second = line.news(), line.news()
        assert first is not None and second is not None
        assert (first["days"], second["days"], second["id"]) == (1, 3, told)
        assert second["site_id"] == str(shenzhen.id) and second["event"] == "procurement.ArrivalDelayed"
        assert {f"purchase_order:{order}", "kind:procurement.purchase_order", f"site:{shenzhen.id}"} <= set(
            second["topics"]
        )
    heard = stranger.news()
    assert heard is not None and heard["id"] == last, "a person hears only of the rooms he may view"
    for_partner = outside.news()
    assert for_partner is not None and for_partner["purchase_order_id"] == str(order)
    assert "days" not in for_partner and "partner_ids" not in for_partner
    assert not any(str(supplier) in topic for topic in for_partner["topics"])


def test_a_wall_display_hears_of_its_site_until_it_is_cut_off(door: Door) -> None:
    here, there = Site.objects.get(code="SZ"), Site.objects.get(code="WH")
    made = access.register_display(SYSTEM, code="HALL", name="Hall", site=here, screens=["plan_load"])
    code, key = passwords.new_link_code(), passwords.new_display_key()
    access.link_display(SYSTEM, display=made, digest=passwords.digest(code))
    access.connect_display(
        SYSTEM, display=Display.objects.get(), link_digest=passwords.digest(code), key_digest=passwords.digest(key)
    )
    assert Line(door.way, "sales.OrderConfirmed,kind:production.work_order", key).status == 403
    line = door.listen("production.OperationReported,sales.OrderConfirmed", key)
    door.tell("production.OperationReported", there.id, good="1")
    door.tell("sales.OrderConfirmed", here.id, number="SO-1")
    told = door.tell("production.OperationReported", here.id, good="12", work_order_id=uuid7())
    heard = line.news()
    assert heard is not None and heard["id"] == told
    assert set(heard) == {"id", "event", "at", "site_id", "topics"}
    began = time.monotonic()
    access.revoke_display(SYSTEM, display=Display.objects.get())
    assert line.news() is None and time.monotonic() - began < 5
    assert Line(door.way, "production.OperationReported", key).status == 401


def test_a_late_committer_is_heard_and_who_comes_back_misses_nothing(door: Door) -> None:
    _, key = door.person("boss", "administrator")
    line = door.listen("sales.OrderConfirmed", key)
    with psycopg.connect(door.url) as slow:
        late = door.tell("sales.OrderConfirmed", on=slow, number="late")
        early = door.tell("sales.OrderConfirmed", number="early")
        heard = line.news()
        assert heard is not None and heard["id"] == early
        line.close()
        slow.commit()
    door.connection.execute("NOTIFY lianzao")
    back = door.listen("sales.OrderConfirmed", key, line.last)
    found = back.message()
    assert found is not None and found[0] == "hello" and found[1]["resumed"] is True
    heard = back.news()
    assert heard is not None and heard["id"] == late

    door.kill()
    while_down = door.tell("sales.OrderConfirmed", number="while nobody listened")
    door.start()
    again = door.listen("sales.OrderConfirmed", key, back.last)
    heard = []
    while not heard or heard[-1] != while_down:
        news = again.news()
        assert news is not None
        heard.append(news["id"])
    assert set(heard) <= {late, early, while_down}

    lost = door.listen("sales.OrderConfirmed", key, f"{2**62}:{uuid7()}")
    first, second = lost.message(), lost.message()
    assert first is not None and second is not None
    assert first[0] == "reset" and second[1]["resumed"] is False


def test_the_line_ends_with_the_session_and_comes_back_after_a_lost_database(door: Door, test_ground: Any) -> None:
    person, key = door.person("wang", "planner")
    _, other = door.person("boss", "administrator")
    line = door.listen("sales.OrderConfirmed", key)
    stays = door.listen("sales.OrderConfirmed", other)
    sessions.end_sessions(person.id)
    door.tell("access.AccessChanged", person_id=person.id, reason="test")
    assert line.news() is None
    assert Line(door.way, "sales.OrderConfirmed", key).status == 401

    name = conninfo_to_dict(door.url)["dbname"]
    cut = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND query ~ {}")
    test_ground.cluster.execute(cut.format(str(name), "pg_current_snapshot|LISTEN"))
    told = door.tell("sales.OrderConfirmed", number="after the break")
    heard = stays.news()
    assert heard is not None and heard["id"] == told


def test_a_slow_reader_is_cut_and_the_others_are_not_held_up(door: Door) -> None:
    _, key = door.person("boss", "administrator")
    slow = door.listen("sales.OrderConfirmed", key)
    many = 4000
    door.connection.execute(
        "INSERT INTO foundation_event SELECT lianzao_uuid_at(clock_timestamp() + n * interval '1 ms'),"
        " 'sales.OrderConfirmed', now(), now(), gen_random_uuid(), NULL, jsonb_build_object('note', repeat('x', 2000)),"
        " pg_current_xact_id()::text::bigint FROM generate_series(1, %s) AS n",
        [many],
    )
    door.connection.execute("NOTIFY lianzao")
    quick = door.listen("sales.OrderChanged", key)
    told = door.tell("sales.OrderChanged", number="1")
    heard = quick.news()
    assert heard is not None and heard["id"] == told
    count = 0
    while slow.news() is not None:
        count += 1
    assert count < many, "the line of who does not read is closed, not filled without end"
    assert slow.last, "and he knows where to come back to"


def test_who_hangs_up_is_forgotten_and_nothing_is_handed_to_nobody(door: Door) -> None:
    _, key = door.person("boss", "administrator")
    hand = Hand(door.hand)
    for _ in range(50):
        Line(hand, "sales.OrderConfirmed", key).close()
    line = door.listen("sales.OrderConfirmed", key)
    told = door.tell("sales.OrderConfirmed", number="1")
    heard = line.news()
    assert heard is not None and heard["id"] == told
    assert door.process is not None
    everyone = [*family(door.process.pid), door.process.pid]
    held = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in everyone]
    assert max(held) < 50, "connections that were closed are still held"
    door.kill()
    ask, until = b"GET /live?topics=a HTTP/1.1\r\nHost: h\r\n\r\n", time.monotonic() + 5
    with socket.socket() as mine:
        while hand.give(ask, mine.fileno()):
            assert time.monotonic() < until, "handed to nobody"
            time.sleep(0.02)


# -- by itself --------------------------------------------------------------------------------------------------------


def news(event: str, site: UUID | None = None, **payload: Any) -> News:
    return News(uuid7(), event, None, site, payload, 1, "1:", (event,), frozenset(payload.get("partner_ids", ())))  # type: ignore[arg-type]


def test_topics_name_records_their_kinds_and_each_of_many() -> None:
    kinds = {"sales_order": ("sales.sales_order",), "item": ("catalog.item",)}
    payload = {"sales_order_id": "a", "item_ids": ["b", "c"], "site_id": "s", "lot_id": None, "days": 3}
    assert topics_of("sales.OrderConfirmed", payload, kinds) == (
        "sales.OrderConfirmed",
        "sales_order:a",
        "kind:sales.sales_order",
        "item:b",
        "item:c",
        "kind:catalog.item",
        "site:s",
    )
    assert set(kinds_by_entity().get("sales_order", ())) <= set(registry.RESOURCES)


@pytest.mark.parametrize(
    ("rights", "room", "sees"),
    [
        ({"*"}, "sales", True),
        ({"sales.*"}, "sales", True),
        ({"sales.view_*"}, "sales", True),
        ({"*.view_sales_order"}, "sales", True),
        ({"sales.v*"}, "sales", True),
        ({"sales.confirm_order", "sales.v"}, "sales", False),
        ({"procurement.*"}, "sales", False),
        (set(), "sales", False),
    ],
)
def test_a_room_is_heard_by_who_may_view_anything_of_it(rights: set[str], room: str, sees: bool) -> None:
    assert Ear(Actor(id=None, name="", rights=frozenset(rights), sites=ALL)).sees_room(room) is sees


def test_masked_facts_are_not_told_and_ids_are() -> None:
    told = news("sales.OrderConfirmed", price="5", number="1", sales_order_id="a")
    actor = Actor(id=None, name="", rights=frozenset({"*"}), sites=ALL, masks=frozenset({"sales.sales_order.price"}))
    frame = Ear(actor).frame(told)
    assert b'"price"' not in frame and b'"number":"1"' in frame and b'"sales_order_id":"a"' in frame
    everything = Actor(id=None, name="", rights=frozenset({"*"}), sites=ALL, masks=frozenset({"*.*.*"}))
    assert b'"number"' not in Ear(everything).frame(told)


def test_no_site_no_news_of_a_site() -> None:
    nobody = Ear(Actor(id=None, name="", rights=frozenset({"*"})))
    assert nobody.hears(news("sales.OrderConfirmed"))
    assert not nobody.hears(news("sales.OrderConfirmed", site=uuid7()))
