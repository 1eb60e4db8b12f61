"""Signatures against the standard's own library; addresses that must never be reached; pauses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import ip_address
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from lianzao.integration import rules
from lianzao.values.errors import Invalid

ENDPOINT = UUID("01890000-0000-7000-8000-000000000001")
MASTER = "a master key of more than thirty-two characters"


def test_a_signature_is_what_the_standard_library_expects():
    old, new = (rules.derive_secret(MASTER, ENDPOINT, generation) for generation in (1, 2))
    now = int(datetime.now(UTC).timestamp())
    body = '{"a":"联造"}'.encode()
    headers = {
        "webhook-id": "e1",
        "webhook-timestamp": str(now),
        "webhook-signature": rules.sign([new, old], "e1", now, body),
    }
    for secret in (old, new):
        assert Webhook(rules.written(secret)).verify(body, headers) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook(rules.written(rules.derive_secret(MASTER, ENDPOINT, 3))).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(rules.written(new)).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(rules.written(new)).verify(body, headers | {"webhook-id": "e2"})


def test_a_secret_is_one_endpoints_one_generations_and_one_installations():
    base = rules.derive_secret(MASTER, ENDPOINT, 1)
    assert len(base) == 32 and rules.written(base).startswith("whsec_")
    others = {
        rules.derive_secret(MASTER, ENDPOINT, 2),
        rules.derive_secret(MASTER + "x", ENDPOINT, 1),
        rules.derive_secret(MASTER, UUID(int=ENDPOINT.int + 1), 1),
    }
    assert len(others | {base}) == 4
    assert len({rules.mark_of(each) for each in others | {base}}) == 4


def test_an_envelope_is_cloudevents_and_always_the_same():
    at = datetime(2026, 3, 2, 2, tzinfo=UTC)
    made = rules.envelope(ENDPOINT, "sales.OrderConfirmed", at, ENDPOINT, ("sales.sales_order", ENDPOINT), {"a": 1})
    assert made == rules.envelope(
        ENDPOINT, "sales.OrderConfirmed", at, ENDPOINT, ("sales.sales_order", ENDPOINT), {"a": 1}
    )
    assert made["specversion"] == "1.0"
    assert made["type"] == "lianzao.sales.OrderConfirmed.v1"
    assert made["source"] == f"/lianzao/sites/{ENDPOINT}"
    assert made["subject"] == f"sales.sales_order/{ENDPOINT}"
    assert made["time"] == "2026-03-02T02:00:00Z"


def test_a_partner_is_sent_ids_and_not_who_else_was_told():
    facts = {"item_id": 1, "item_ids": (1,), "quantity": 5, "partner_ids": (1, 2), "why": "x"}
    assert rules.ids_only(facts) == {"item_id": 1, "item_ids": (1,)}


FORBIDDEN = [
    "127.0.0.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
    "255.255.255.255", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "::7f00:1",
    "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_inner_address_is_sent_to(address):
    assert not rules.may_send_to(ip_address(address), ())
    assert rules.first_allowed([address], ()) is None
    assert rules.first_allowed(["93.184.215.14", address], ()) is None  # one good answer does not excuse a bad one


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_sent_to(address):
    assert ip_address(rules.first_allowed([address], ()) or "::") == ip_address(address)


def test_an_administrator_opens_a_network_but_never_metadata_services():
    allowed = rules.read_networks(["10.1.0.0/16", "fd00::/8"])
    assert rules.may_send_to(ip_address("10.1.2.3"), allowed)
    assert rules.may_send_to(ip_address("fd00::5"), allowed)
    assert rules.may_send_to(ip_address("::ffff:10.1.2.3"), allowed)
    assert not rules.may_send_to(ip_address("10.2.0.1"), allowed)
    for never in ("169.254.169.254/32", "0.0.0.0/0", "::/0", "fe80::/64", "224.0.0.0/8", "169.0.0.0/8"):
        with pytest.raises(Invalid, match="network_never_allowed"):
            rules.read_networks([never])
    for wrong in ("10.1.0.5/16", "example.com", ""):
        with pytest.raises(Invalid, match="not_a_network"):
            rules.read_networks([wrong])
    assert rules.first_allowed([], ()) is None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "https://", "https:///path", "https://user:secret@example.com/", "https://example.com/#a",
        "https://example.com:0/", "https://example.com:99999/", "javascript:alert(1)", "https://exa mple.com/",
        "https://example.com/\r\nX: y", "file:///etc/passwd", "https://" + "a" * 600, "http://[::1", "//example.com/",
    ],
)  # fmt: skip
def test_a_wrong_url_is_refused(url):
    with pytest.raises(Invalid, match="endpoint_url"):
        rules.read_url(url, allows_http=True)


def test_http_only_where_a_network_was_allowed():
    with pytest.raises(Invalid, match="endpoint_needs_https"):
        rules.read_url("http://example.com/hook", allows_http=False)
    target = rules.read_url("http://mes.local:8080/hook", allows_http=True)
    assert (target.host, target.port) == ("mes.local", 8080)
    assert rules.read_url("https://例子.example/hook?a=1", allows_http=False).port == 443


def test_patterns_must_fit_some_event():
    known = ["sales.OrderConfirmed", "procurement.ArrivalDelayed"]
    rules.check_patterns(["sales.*", "*.Arrival*", "sales.OrderConfirmed"], known)
    for wrong in ("purchasing.*", "sales.orderconfirmed", "[s]ales.*", ""):
        with pytest.raises(Invalid, match="no_such_event"):
            rules.check_patterns(["sales.*", wrong], known)
    with pytest.raises(Invalid, match="field_missing"):
        rules.check_patterns([], known)
    assert rules.wants(["sales.*"], "sales.OrderConfirmed") and not rules.wants(["sales.*"], "quality.InspectionHeld")


def test_pauses_grow_and_end():
    pauses = [rules.pause_after(attempts, None) for attempts in range(1, 10)]
    assert pauses[:-1] == sorted(pauses[:-1]) and pauses[0] == 5  # type: ignore[type-var]
    assert pauses[-1] is None
    assert rules.pause_after(1, 900) == 900
    assert rules.pause_after(1, 10**9) == rules.LONGEST_WISH_S
    assert [rules.breath_after(failures, None) for failures in (1, 4, 50)] == [2, 16, 300]
    assert rules.breath_after(1, 60) == 60


def test_what_counts_as_taken_and_as_trouble():
    assert rules.is_success(204) and not rules.is_success(302) and not rules.is_success(None)
    assert rules.is_down(None) and rules.is_down(503) and rules.is_down(429) and not rules.is_down(404)
