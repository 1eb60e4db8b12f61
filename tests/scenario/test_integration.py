"""Webhooks against a real HTTP server: signed, tried again, never to the wrong address, one slow one hinders nobody."""

from __future__ import annotations

import functools
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from standardwebhooks import Webhook, WebhookVerificationError

import project.urls  # noqa: F401 - says who asks; before a test says otherwise
from lianzao.foundation import audit, clock, http, outbox
from lianzao.foundation.actor import ALL, Actor
from lianzao.integration import asyncapi, commands, queries, sending
from lianzao.integration.handlers import post_events
from lianzao.integration.models import Endpoint, Mapping, Post
from lianzao.values.errors import Conflict, Invalid, NotAllowed, NotFound, RuleBroken
from lianzao.values.time import uuid7
from project.config import ROOT
from tests.scenario.commerce import Trade, day

#: A certificate for mes.example and its key, made for these tests and worth nothing elsewhere.
TLS = Path(__file__).parent.parent / "fixtures" / "tls"
KEY = "the tests' own master key, long enough for anybody"
ADMIN = Actor(id=None, name="administrator", sites=ALL, rights=frozenset({"*"}), language="en")


@dataclass
class Receiver:
    """Another system: keeps what it was sent and answers as it is told."""

    server: ThreadingHTTPServer
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], float]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook?from=lianzao"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.got]

    def verified(self, secret: str, place: int = -1) -> Any:
        _, headers, body = self.got[place]
        return Webhook(secret).verify(body, headers)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, headers, pause = made.answers.pop(0) if made.answers else (204, {}, 0.0)
            time.sleep(pause)
            said = b"" if status == 204 else f"status {status}\x00\n{'x' * 5000}".encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(said))}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(said)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the sender reads no more of an answer than it keeps

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def master_key(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The installation's key for this test; may be changed in it."""

    def use(key: str) -> None:
        monkeypatch.setattr(django_settings, "CONFIG", replace(django_settings.CONFIG, secret_key=key))

    use(KEY)
    return use


@pytest.fixture
def trade(db: None, master_key: Callable[[str], None]) -> Iterator[Trade]:
    try:
        yield Trade()
    finally:
        clock.freeze(None)


def endpoint_for(trade: Trade, url: str, code: str = "ERP", **more: Any) -> Endpoint:
    """An endpoint that may lie on this machine."""
    given = {"events": ["procurement.*"], **more}
    made = commands.register_endpoint(ADMIN, code=code, name=code, url="https://erp.example/hook", **given)
    commands.allow_networks(ADMIN, endpoint=made, networks=["127.0.0.0/8"])
    return commands.change_endpoint(ADMIN, endpoint=made.id, url=url)  # type: ignore[arg-type]


def carry() -> None:
    """What the processes do: events become posts."""
    time.sleep(0.06)
    while outbox.work_once(("hooks",)):
        time.sleep(0.02)


def hurry() -> None:
    """Nobody waits for pauses here."""
    Post.objects.filter(status="waiting").update(next_at=clock.real_now())
    Endpoint.objects.update(resting_until=None)


def secret_of(endpoint: Endpoint) -> str:
    return queries.shown_secrets(Endpoint.objects.get(pk=endpoint.pk))[0].secret


# -- what arrives -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_event_arrives_signed_in_an_envelope_once(trade: Trade, receiver: Receiver) -> None:
    endpoint = endpoint_for(trade, receiver.url)
    order = trade.buy("100", day(9))
    carry()
    assert Post.objects.get(event="procurement.PurchaseOrderSent").status == "waiting"  # the intent, before any sending
    assert sending.send_due() == {"sent": 1, "again": 0, "parked": 0}
    event = receiver.verified(secret_of(endpoint))
    path, headers, _ = receiver.got[0]
    assert path == "/hook?from=lianzao" and headers["host"] == receiver.url.split("/")[2]
    assert headers["content-type"].startswith("application/cloudevents+json")
    assert headers["webhook-id"] == event["id"]
    assert (event["specversion"], event["type"]) == ("1.0", "lianzao.procurement.PurchaseOrderSent.v1")
    assert event["source"] == f"/lianzao/sites/{trade.site_id}"
    assert event["subject"] == f"procurement.purchase_order/{order.id}"
    assert event["datacontenttype"] == "application/json"
    assert event["data"]["number"] == order.number and event["data"]["supplier_id"] == str(trade.mill.id)
    carry()
    assert sending.send_due() == {"sent": 0, "again": 0, "parked": 0}
    assert len(receiver.got) == 1


@pytest.mark.django_db
def test_what_fails_is_tried_again_under_the_same_id_then_parked(trade: Trade, receiver: Receiver) -> None:
    endpoint = endpoint_for(trade, receiver.url)
    trade.buy("100", day(9))
    carry()
    receiver.answers = [(500, {}, 0), (404, {}, 0), (503, {"Retry-After": "120"}, 0), *[(500, {}, 0)] * 6]
    for attempt in range(1, 10):
        hurry()
        done = sending.send_due()
        assert done == ({"sent": 0, "again": 1, "parked": 0} if attempt < 9 else {"sent": 0, "again": 0, "parked": 1})
        post = Post.objects.get()
        assert post.attempts == attempt
        if attempt == 1:
            assert post.http_status == 500 and post.error.startswith("HTTP 500 status 500 ") and len(post.error) < 400
            assert post.next_at is not None and 3 < (post.next_at - clock.real_now()).total_seconds() <= 5
        if attempt == 3:
            assert post.next_at is not None and (post.next_at - clock.real_now()) > timedelta(seconds=110)
            resting = Endpoint.objects.get().resting_until
            assert resting is not None and resting - clock.real_now() > timedelta(seconds=110)
    assert trade.news("PostParked")[0]["attempts"] == 9
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert len({body for _, _, body in receiver.got}) == 1
    hurry()
    assert sending.send_due() == {"sent": 0, "again": 0, "parked": 0}
    commands.replay_posts(ADMIN, posts=[Post.objects.get()])
    hurry()
    assert sending.send_due()["sent"] == 1
    assert receiver.verified(secret_of(endpoint))["id"] == receiver.got[0][1]["webhook-id"]
    assert Endpoint.objects.get().failures == 0
    Post.objects.update(status="waiting")
    with pytest.raises(Conflict, match="post_under_way"):
        commands.replay_posts(ADMIN, posts=[Post.objects.get()])


@pytest.mark.django_db
def test_a_rotated_secret_and_the_one_before_are_both_good_for_a_while(trade: Trade, receiver: Receiver) -> None:
    endpoint = endpoint_for(trade, receiver.url)
    old = secret_of(endpoint)
    commands.rotate_secret(ADMIN, endpoint=endpoint, overlap_hours=24)
    new = secret_of(endpoint)
    assert new != old
    commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    sending.send_due()
    assert receiver.verified(old) == receiver.verified(new)
    assert receiver.verified(new)["type"] == "lianzao.integration.EndpointTested.v1"
    Endpoint.objects.update(old_until=clock.real_now() - timedelta(seconds=1))
    commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    sending.send_due()
    receiver.verified(new)
    with pytest.raises(WebhookVerificationError):
        receiver.verified(old)


@pytest.mark.django_db
def test_partners_get_their_own_events_and_only_ids(trade: Trade, receiver: Receiver) -> None:
    endpoint_for(trade, receiver.url, "MILL", partner=trade.mill)
    endpoint_for(trade, receiver.url, "FORGE", partner=trade.forge)
    order = trade.buy("100", day(9))
    carry()
    assert list(Post.objects.values_list("endpoint__code", "event")) == [("MILL", "procurement.PurchaseOrderSent")]
    sending.send_due()
    data = receiver.events()[0]["data"]
    assert data["purchase_order_id"] == str(order.id)
    assert "partner_ids" not in data and "number" not in data
    assert all(name.endswith(("_id", "_ids")) for name in data)


@pytest.mark.django_db
def test_an_endpoint_gets_what_it_asked_for_at_its_site(trade: Trade, receiver: Receiver) -> None:
    endpoint_for(trade, receiver.url, "HERE", site=trade.site)
    other = commands.register_endpoint(ADMIN, code="SALES", name="S", url="https://erp.example/", events=["sales.*"])
    with pytest.raises(Invalid, match="foreign_site"):
        commands.register_endpoint(
            replace(ADMIN, sites=frozenset({trade.site_id}), memory={}),
            code="X",
            name="X",
            url="https://a.example/",
            events=["*"],
        )
    trade.buy("100", day(9))
    carry()
    assert set(Post.objects.values_list("endpoint__code", flat=True)) == {"HERE"}
    with pytest.raises(Invalid, match="no_such_event"):
        commands.change_endpoint(ADMIN, endpoint=other, events=["purchasing.*"])
    with pytest.raises(Conflict, match="already_taken"):
        commands.register_endpoint(ADMIN, code="SALES", name="S", url="https://erp.example/", events=["sales.*"])


# -- what must not happen ---------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.8/",
        "https://[::ffff:169.254.169.254]/",
        "http://a.example/",
    ],
)
def test_an_inner_address_is_refused_when_it_is_typed(trade: Trade, url: str) -> None:
    with pytest.raises(Invalid) as refused:
        commands.register_endpoint(ADMIN, code="IN", name="in", url=url, events=["sales.*"])
    assert refused.value.field == "url"


@pytest.mark.django_db
def test_a_name_that_leads_inside_is_never_connected_to(
    trade: Trade, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name was harmless when it was registered; today it leads to this machine (DNS rebinding)."""
    endpoint = endpoint_for(trade, receiver.url)
    port = receiver.server.server_address[1]
    commands.change_endpoint(ADMIN, endpoint=endpoint, url=f"https://localhost:{port}/")
    commands.allow_networks(ADMIN, endpoint=endpoint.id, networks=[])  # type: ignore[arg-type]
    commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    assert sending.send_due() == {"sent": 0, "again": 1, "parked": 0}
    assert "not allowed" in Post.objects.get().error and receiver.got == []


@pytest.mark.django_db
def test_the_address_that_was_checked_is_the_one_connected_to(
    trade: Trade, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def answer(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if host == "mes.example" else host, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    port = receiver.server.server_address[1]
    endpoint = endpoint_for(trade, f"http://mes.example:{port}/hook")
    commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    assert sending.send_due()["sent"] == 1
    assert asked.count("mes.example") == 1 and set(asked) <= {"mes.example", "127.0.0.1"}
    assert receiver.got[0][1]["host"] == f"mes.example:{port}"


@pytest.mark.django_db
def test_a_certificate_must_be_for_the_name_not_for_the_address(
    trade: Trade, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We connect to a checked address, and still ask for the certificate of the endpoint's own name."""
    here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    here.load_cert_chain(TLS / "mes.example.pem")
    receiver.server.socket = here.wrap_socket(receiver.server.socket, server_side=True)
    trust = ssl.create_default_context(cafile=str(TLS / "mes.example.pem"))
    monkeypatch.setattr(sending.httpx, "AsyncHTTPTransport", functools.partial(httpx.AsyncHTTPTransport, verify=trust))
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **more: real("127.0.0.1", *args, **more))
    port = receiver.server.server_address[1]
    endpoint = endpoint_for(trade, f"https://mes.example:{port}/hook")
    commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    assert sending.send_due()["sent"] == 1, Post.objects.get().error
    receiver.verified(secret_of(endpoint))
    commands.change_endpoint(ADMIN, endpoint=endpoint.id, url=f"https://other.example:{port}/hook")  # type: ignore[arg-type]
    commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    assert sending.send_due() == {"sent": 0, "again": 1, "parked": 0}
    assert "certificate" in Post.objects.latest("created_at", "id").error.lower()
    assert len(receiver.got) == 1


@pytest.mark.django_db
def test_a_redirect_is_no_success_and_is_not_followed(trade: Trade, receiver: Receiver) -> None:
    endpoint = endpoint_for(trade, receiver.url)
    receiver.answers = [(302, {"Location": receiver.url + "&again"}, 0)]
    commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    assert sending.send_due()["again"] == 1
    assert len(receiver.got) == 1


@pytest.mark.django_db
def test_only_administrators_open_networks_and_never_to_metadata_services(trade: Trade) -> None:
    endpoint = commands.register_endpoint(ADMIN, code="E", name="e", url="https://e.example/", events=["sales.*"])
    integrator = replace(ADMIN, rights=frozenset({"*.view_*", "integration.*"}), memory={})
    with pytest.raises(NotAllowed):
        commands.allow_networks(integrator, endpoint=endpoint, networks=["10.0.0.0/8"])
    with pytest.raises(Invalid, match="network_never_allowed"):
        commands.allow_networks(ADMIN, endpoint=endpoint, networks=["169.254.169.254/32"])
    with pytest.raises(NotAllowed):
        commands.record_results(ADMIN, endpoint=endpoint, results=[], unsent=[])


@pytest.mark.django_db
def test_a_secret_is_shown_to_who_may_see_it_and_kept_nowhere(
    trade: Trade, monkeypatch: pytest.MonkeyPatch, master_key: Callable[[str], None]
) -> None:
    endpoint = commands.register_endpoint(ADMIN, code="E", name="e", url="https://e.example/", events=["sales.*"])
    client = Client(headers={"Authorization": "Bearer test"})
    path = f"/api/integration/endpoint/{endpoint.id}/secret"
    monkeypatch.setattr(http, "_identify", lambda request: ADMIN)
    shown = client.post(path, {}, content_type="application/json").json()["secrets"]
    assert [each["secret"] for each in shown] == [secret_of(endpoint)] and shown[0]["until"] is None
    for by in (replace(ADMIN, rights=frozenset({"*.view_*"}), memory={}), replace(ADMIN, kind="token")):
        monkeypatch.setattr(http, "_identify", lambda request, by=by: by)
        assert client.post(path, {}, content_type="application/json").status_code == 403
    secret = secret_of(endpoint).removeprefix("whsec_")
    kept = [audit.Order.objects.values_list("body", "answer", "changes"), Endpoint.objects.values_list()]
    assert secret not in repr([list(rows) for rows in kept])
    assert audit.Order.objects.filter(command="integration.show_secret", touched__contains=[endpoint.id]).count() == 1
    master_key("another installation's key, also long enough")
    with pytest.raises(RuleBroken, match="signing_key_changed"):
        secret_of(endpoint)


@pytest.mark.django_db
def test_a_changed_installation_key_is_seen_and_mended_by_rotating(
    trade: Trade, receiver: Receiver, master_key: Callable[[str], None]
) -> None:
    endpoint = endpoint_for(trade, receiver.url)
    master_key("another installation's key, also long enough")
    commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    assert sending.send_due() == {"sent": 0, "again": 0, "parked": 1}
    assert "signing_key_changed" in Post.objects.get().error and receiver.got == []
    commands.rotate_secret(ADMIN, endpoint=endpoint, overlap_hours=0)
    commands.replay_posts(ADMIN, posts=[Post.objects.get()])
    assert sending.send_due()["sent"] == 1
    receiver.verified(secret_of(endpoint))


# -- pauses -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_paused_endpoint_waits_and_a_gone_one_pauses_itself(trade: Trade, receiver: Receiver) -> None:
    endpoint = endpoint_for(trade, receiver.url)
    commands.pause_endpoint(ADMIN, endpoint=endpoint, reason="maintenance")
    with pytest.raises(Conflict, match="endpoint_paused"):
        commands.send_test(ADMIN, endpoint=endpoint)
    trade.buy("100", day(9))
    carry()
    assert sending.send_due() == {"sent": 0, "again": 0, "parked": 0}
    commands.resume_endpoint(ADMIN, endpoint=endpoint)
    receiver.answers = [(410, {}, 0)]
    assert sending.send_due() == {"sent": 0, "again": 0, "parked": 1}
    paused = Endpoint.objects.get()
    assert not paused.active and paused.paused_why == "410 Gone"
    assert [each["by_itself"] for each in trade.news("EndpointPaused")] == [False, True]
    commands.retire_endpoint(ADMIN, endpoint=endpoint)
    assert Post.objects.get().status == "void"


@pytest.mark.django_db
def test_an_endpoint_that_fails_for_days_is_paused_and_its_posts_wait(trade: Trade, receiver: Receiver) -> None:
    endpoint = endpoint_for(trade, receiver.url)
    commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    Endpoint.objects.update(failing_since=clock.real_now() - timedelta(hours=73))
    receiver.answers = [(500, {}, 0)]
    assert sending.send_due()["again"] == 1
    assert not Endpoint.objects.get().active and Post.objects.get().status == "waiting"


@pytest.mark.django_db
def test_an_endpoint_in_trouble_is_left_alone_and_the_rest_of_its_batch_waits(trade: Trade, receiver: Receiver) -> None:
    endpoint = endpoint_for(trade, receiver.url)
    for _ in range(3):
        commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    receiver.answers = [(503, {}, 0)]
    assert sending.send_due() == {"sent": 0, "again": 1, "parked": 0}
    assert sorted(Post.objects.values_list("status", "attempts")) == [("waiting", 0), ("waiting", 0), ("waiting", 1)]
    assert sending.claim() == {}  # it rests
    hurry()
    assert sending.send_due()["sent"] == 3


@pytest.mark.django_db
def test_a_sender_that_died_gives_its_posts_back(trade: Trade, receiver: Receiver) -> None:
    endpoint = endpoint_for(trade, receiver.url)
    commands.send_test(ADMIN, endpoint=endpoint)
    carry()
    assert len(sending.claim()) == 1
    assert sending.claim() == {}
    Post.objects.update(leased_until=clock.real_now() - timedelta(seconds=1))
    assert sending.send_due()["sent"] == 1


# -- with threads, committed ------------------------------------------------------------------------------------------


def test_a_slow_endpoint_hinders_no_other(
    fresh_database: str, master_key: Callable[[str], None], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade = Trade()
    try:
        monkeypatch.setattr(sending, "TIMEOUT_S", 1.5)
        slow = socket_that_never_answers()
        port = slow.getsockname()[1]
        silent = endpoint_for(trade, f"http://127.0.0.1:{port}/", "SILENT")
        quick = endpoint_for(trade, receiver.url, "QUICK")
        for each in (silent, quick, quick):
            commands.send_test(ADMIN, endpoint=each)
        carry()
        began = time.monotonic()
        assert sending.tick(clock.now()) == 2
        assert time.monotonic() - began < 1.0
        wait_for(lambda: Post.objects.filter(endpoint=quick, status="sent").count() == 2)
        assert time.monotonic() - began < 1.4, "the quick one waited for the silent one"
        assert sending.tick(clock.now()) == 0  # the silent one is in hand
        wait_for(lambda: Post.objects.get(endpoint=silent).attempts == 1)
        post = Post.objects.get(endpoint=silent)
        assert (post.status, post.http_status) == ("waiting", None) and "no answer within" in post.error
        slow.close()
    finally:
        clock.freeze(None)


def test_the_work_process_sends_by_itself(
    fresh_database: str, master_key: Callable[[str], None], receiver: Receiver
) -> None:
    """From an order in one process to a signed post by another: delivery, job of the clock, thread."""
    trade = Trade()
    clock.freeze(None)
    endpoint = endpoint_for(trade, receiver.url)
    commands.send_test(ADMIN, endpoint=endpoint)
    environ = {**os.environ, "LIANZAO_DATABASE_URL": fresh_database, "LIANZAO_SECRET_KEY": KEY, "PYTHONPATH": str(ROOT)}
    worker = subprocess.Popen([sys.executable, "-m", "project.processes", "work"], env=environ, cwd=ROOT)
    try:
        wait_for(lambda: Post.objects.filter(status="sent").exists(), 30)
        assert worker.poll() is None
    finally:
        worker.terminate()
        assert worker.wait(10) == 0
    receiver.verified(secret_of(endpoint))
    assert len(receiver.got) == 1


def socket_that_never_answers() -> Any:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(5)
    return made


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


# -- descriptions and mappings ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_event_is_described_and_every_reference_leads_somewhere(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_identify", lambda request: ADMIN)
    client = Client(headers={"Authorization": "Bearer test"})
    document = client.get("/api/integration/asyncapi.json").json()
    assert document["asyncapi"] == "3.0.0"
    told = {channel["address"] for channel in document["channels"].values()}
    ours = set(outbox.EVENTS)
    assert told == {
        f"lianzao.{name}.v1"
        for name in ours
        if not name.startswith("integration.") or name == "integration.EndpointTested"
    }

    def references(node: Any) -> Iterator[str]:
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            if name == "$ref":
                yield value
            elif isinstance(value, (dict, list)):
                yield from references(value)

    found = list(references(document))
    assert len(found) > 400
    for ref in found:
        node: Any = document
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]
    schema = document["components"]["schemas"]["procurement_ArrivalDelayed"]
    assert schema["properties"]["quantity"]["type"] == "string"
    assert schema["properties"]["asn_id"]["type"] == ["string", "null"]
    assert schema["properties"]["partner_ids"]["items"]["format"] == "uuid"
    assert "asn_id" not in schema["required"] and "item_id" in schema["required"]
    partner = replace(ADMIN, kind="partner", partner=uuid7())
    monkeypatch.setattr(http, "_identify", lambda request: partner)
    assert client.get("/api/integration/asyncapi.json").status_code == 403


@pytest.mark.django_db
def test_what_is_sent_fits_its_description(trade: Trade, receiver: Receiver) -> None:
    endpoint_for(trade, receiver.url, events=["*"])
    trade.buy("100", day(9))
    trade.stock(trade.screw, "5", trade.store)
    carry()
    while sending.send_due()["sent"]:
        pass
    schemas = asyncapi.document("en")["components"]["schemas"]
    assert {"inventory.StockMoved", "procurement.PurchaseOrderSent"} <= {
        event["type"].removeprefix("lianzao.").removesuffix(".v1") for event in receiver.events()
    }
    for event in receiver.events():
        schema = schemas[asyncapi.key_of(event["type"].removeprefix("lianzao.").removesuffix(".v1"))]
        assert set(schema["required"]) <= set(event["data"]) <= set(schema["properties"])


@pytest.mark.django_db
def test_a_mapping_is_kept_by_its_code_and_refused_when_it_cannot_work(trade: Trade) -> None:
    good = {"fields": {"code": {"column": "物料号"}, "name": {"column": "名称"}}}
    first = commands.save_mapping(trade.by, code="sap_items", name="SAP 物料", kind_name="catalog.item", mapping=good)
    better = {"fields": good["fields"], "header_row": 2}
    again = commands.save_mapping(trade.by, code="sap_items", name="SAP 物料", kind_name="catalog.item", mapping=better)
    assert again.id == first.id and Mapping.objects.get().mapping == better
    with pytest.raises(Invalid, match="unknown_field") as refused:
        commands.save_mapping(
            trade.by, code="x", name="x", kind_name="catalog.item", mapping={"fields": {"colour": {"column": "A"}}}
        )
    assert refused.value.field == "mapping.fields.colour"
    with pytest.raises(NotFound):
        commands.save_mapping(trade.by, code="x", name="x", kind_name="catalog.nothing", mapping=good)
    commands.retire_mapping(trade.by, mapping=again)
    with pytest.raises(Conflict, match="already_retired"):
        commands.retire_mapping(trade.by, mapping=again)


@pytest.mark.django_db
def test_without_endpoints_an_event_costs_one_statement(trade: Trade) -> None:
    carry()
    facts = {"site_id": str(trade.site_id), "item_id": str(trade.steel.id), "old_cost": "1", "new_cost": "2"}
    event = outbox.read("catalog.StandardCostSet", facts)
    with CaptureQueriesContext(connection) as seen:
        post_events(trade.by, [event] * 50)
    assert len(seen.captured_queries) == 1
