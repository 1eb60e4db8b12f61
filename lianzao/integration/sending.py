"""Sending posts: outside every transaction, one endpoint at a time by one thread, each try written down.

Exactly once is impossible over HTTP: an answer may be lost after the receiver has acted. We send at least once, always
under the same `webhook-id` (the event's id), by which a receiver knows what it has already.

The address of an endpoint is looked up anew for each batch, checked, and connected to as checked (a name that changes
its mind between check and connection leads nowhere); redirects are not followed; a try takes ten seconds at most.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from uuid import UUID

import httpx
from django.db import connections

from lianzao.foundation import clock
from lianzao.foundation.actor import system_actor
from lianzao.foundation.entity import query
from lianzao.foundation.jobs import job
from lianzao.integration import queries, rules
from lianzao.integration.commands import Result, record_results
from lianzao.integration.models import Endpoint
from lianzao.values.errors import RuleBroken

log = logging.getLogger("lianzao.hooks")

TIMEOUT_S = 10.0
#: A batch ends after this time, whatever is left of it; the lease outlives it by one try and the writing down.
BATCH_S = 25.0
LEASE_S = 60
BATCH = 20
THREADS = 16
ANSWER_KEPT = 300

#: Per endpoint that is neither resting nor in somebody's hand, the posts that have waited longest.
CLAIM = """
WITH ready AS MATERIALIZED (
    SELECT e.id FROM integration_endpoint e
    WHERE e.active AND e.retired_at IS NULL
      AND (e.resting_until IS NULL OR e.resting_until <= clock_timestamp()
           OR e.resting_until > clock_timestamp() + make_interval(secs => %s))
      AND NOT EXISTS (SELECT 1 FROM integration_post p
                      WHERE p.endpoint_id = e.id AND p.status = 'sending' AND p.leased_until > clock_timestamp()
                        AND p.leased_until <= clock_timestamp() + make_interval(secs => %s))
      AND EXISTS (SELECT 1 FROM integration_post p
                  WHERE p.endpoint_id = e.id AND p.status IN ('waiting', 'sending') AND p.next_at <= clock_timestamp())
    ORDER BY e.id LIMIT %s FOR UPDATE SKIP LOCKED
), due AS (
    SELECT p.id FROM ready CROSS JOIN LATERAL (
        SELECT id FROM integration_post
        WHERE endpoint_id = ready.id AND status IN ('waiting', 'sending') AND next_at <= clock_timestamp()
        ORDER BY next_at, id LIMIT %s) p
)
UPDATE integration_post p
SET status = 'sending', leased_until = clock_timestamp() + make_interval(secs => %s)
FROM due WHERE p.id = due.id
RETURNING p.endpoint_id, p.id, p.event_id, p.next_at
"""


@dataclass(frozen=True)
class Claimed:
    """A post in our hand."""

    id: UUID
    event_id: UUID


_places = threading.BoundedSemaphore(THREADS)


def claim(endpoints: int = THREADS) -> dict[UUID, list[Claimed]]:
    """Take posts that are due into our hand, by endpoint, the longest waiting first."""
    found: dict[UUID, list[Claimed]] = {}
    # A rest or a lease longer than any we give was given before the clock was set back.
    rows = query(CLAIM, [rules.LONGEST_WISH_S + 1, LEASE_S + 1, endpoints, BATCH, LEASE_S])
    for endpoint_id, id, event_id, _ in sorted(rows, key=lambda row: (row[3], row[1])):
        found.setdefault(endpoint_id, []).append(Claimed(id, event_id))
    return found


@job("integration.send_posts", every_s=1)
def tick(now: datetime) -> int:
    """Start a thread for each endpoint with something due, and come back at once. Returns how many were started."""
    free = 0
    while free < THREADS and _places.acquire(blocking=False):
        free += 1
    started = 0
    try:
        for endpoint_id, posts in claim(free).items() if free else ():
            thread = threading.Thread(target=_apart, args=(endpoint_id, posts), name="hooks", daemon=True)
            thread.start()
            started += 1
    finally:
        for _ in range(free - started):
            _places.release()
    return started


def _apart(endpoint_id: UUID, posts: Sequence[Claimed]) -> None:
    """One endpoint's batch in a thread of its own. What breaks is a bug: told, and the lease gives the posts back."""
    try:
        send_batch(endpoint_id, posts)
    except Exception:
        log.exception("posts to endpoint %s were not sent; they are tried again when their lease ends", endpoint_id)
    finally:
        _places.release()
        connections.close_all()


SET_BACK = """
UPDATE integration_post SET next_at = clock_timestamp()
WHERE status = 'waiting' AND next_at > clock_timestamp() + interval '1 second'
  AND coalesce(tried_at, next_at) > clock_timestamp() + interval '1 second'
"""


@job("integration.catch_up", every_s=30)
def catch_up(now: datetime) -> int:
    """Posts must not wait for an hour that comes twice: those of a time to come are due, the clock was set back."""
    with connections["default"].cursor() as cursor:
        cursor.execute(SET_BACK)
        return cursor.rowcount


def send_due() -> dict[str, int]:
    """Send what is due here and now, one endpoint after the other: for the console and tests."""
    total = {"sent": 0, "again": 0, "parked": 0}
    for endpoint_id, posts in claim().items():
        for name, count in send_batch(endpoint_id, posts).items():
            total[name] += count
    return total


def send_batch(endpoint_id: UUID, posts: Sequence[Claimed]) -> dict[str, int]:
    """Send an endpoint its posts and write down how it went."""
    endpoint = Endpoint.objects.get(pk=endpoint_id)
    try:
        secrets = queries.secrets_of(endpoint)
    except RuleBroken as error:
        results, unsent = [Result(post.id, None, str(error), 0, final=True) for post in posts], []
    else:
        bodies = queries.bodies(endpoint, [post.event_id for post in posts])
        if not connections["default"].in_atomic_block:
            connections.close_all()  # no connection of the pool waits for another system
        results, unsent = asyncio.run(_send_all(endpoint, posts, bodies, secrets))
    by = system_actor("integration.sender")
    return record_results(by, endpoint=endpoint.id, results=results, unsent=unsent)  # type: ignore[arg-type]


async def _send_all(
    endpoint: Endpoint, posts: Sequence[Claimed], bodies: Mapping[UUID, bytes], secrets: Sequence[bytes]
) -> tuple[list[Result], list[UUID]]:
    """Try one post after the other; when the endpoint is in trouble, or time is up, the rest stays unsent."""
    began = time.monotonic()
    results: list[Result] = []
    try:
        address = await _address(endpoint)
    except (OSError, UnicodeError, TimeoutError) as error:
        return [Result(posts[0].id, None, f"name not found: {error}"[:ANSWER_KEPT], _ms(began))], _ids(posts[1:])
    if address is None:
        refused = "the address is not allowed: it is not on the public internet"
        return [Result(posts[0].id, None, refused, _ms(began))], _ids(posts[1:])
    transport = httpx.AsyncHTTPTransport(retries=0, limits=httpx.Limits(max_connections=1))
    async with httpx.AsyncClient(
        transport=transport, follow_redirects=False, trust_env=False, timeout=TIMEOUT_S
    ) as client:
        for place, post in enumerate(posts):
            if time.monotonic() - began > BATCH_S:
                return results, _ids(posts[place:])
            body = bodies.get(post.event_id)
            if body is None:
                results.append(Result(post.id, None, "the event is no longer kept", 0, final=True))
                continue
            results.append(await _try(client, endpoint, address, post, body, secrets))
            if rules.is_down(results[-1].http_status) or results[-1].http_status == 410:
                return results, _ids(posts[place + 1 :])
    return results, []


def _ids(posts: Sequence[Claimed]) -> list[UUID]:
    return [post.id for post in posts]


async def _address(endpoint: Endpoint) -> str | None:
    """Where the endpoint's name leads now; None when it leads somewhere we must not go. Raises OSError."""
    target = rules.read_url(endpoint.url, allows_http=bool(endpoint.allowed_networks))
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(TIMEOUT_S):
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    return rules.first_allowed(addresses, rules.read_networks(endpoint.allowed_networks))


async def _try(
    client: httpx.AsyncClient,
    endpoint: Endpoint,
    address: str,
    post: Claimed,
    body: bytes,
    secrets: Sequence[bytes],
) -> Result:
    """One try. Whatever the receiver does is a result, never an exception."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _posted(client, _request(client, endpoint, address, post, body, secrets), post, began)
    except TimeoutError:
        return Result(post.id, None, f"no answer within {TIMEOUT_S:.0f} s", _ms(began))
    except httpx.HTTPError as error:
        return Result(post.id, None, f"{type(error).__name__}: {error}"[:ANSWER_KEPT], _ms(began))


def _request(
    client: httpx.AsyncClient,
    endpoint: Endpoint,
    address: str,
    post: Claimed,
    body: bytes,
    secrets: Sequence[bytes],
) -> httpx.Request:
    """The signed request to the checked address; Host and the certificate's name are those of the endpoint's URL."""
    url = httpx.URL(endpoint.url)
    id, timestamp = str(post.event_id), int(clock.real_now().timestamp())
    headers = {
        "host": url.netloc.decode("ascii"),
        "content-type": rules.CONTENT_TYPE,
        "user-agent": "Lianzao-Webhooks/1",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": rules.sign(secrets, id, timestamp, body),
    }
    return client.build_request(
        "POST", url.copy_with(host=address), headers=headers, content=body, extensions={"sni_hostname": url.host}
    )


async def _posted(client: httpx.AsyncClient, request: httpx.Request, post: Claimed, began: float) -> Result:
    response = await client.send(request, stream=True)
    try:
        status, error = response.status_code, ""
        if not rules.is_success(status):
            error = f"HTTP {status} {await _beginning(response)}".strip()
        return Result(post.id, status, error, _ms(began), _retry_after(response))
    finally:
        await response.aclose()


async def _beginning(response: httpx.Response) -> str:
    """The first words of an answer; no more of it is read."""
    read = b""
    async for chunk in response.aiter_raw():
        read += chunk
        if len(read) >= ANSWER_KEPT:
            break
    text = read[:ANSWER_KEPT].decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text)


def _retry_after(response: httpx.Response) -> int | None:
    """The seconds a receiver asks us to wait, if it does."""
    given = response.headers.get("retry-after", "").strip()
    if given.isdigit():
        return min(int(given[:9]), 2**31 - 1)
    try:
        return max(0, int((parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds())) if given else None
    except (ValueError, TypeError):
        return None


def _ms(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
