"""The only writers of integration: endpoints and their secrets, what became of posts, mappings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from lianzao.access.models import Person, Site
from lianzao.foundation import audit, clock, scope
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.command import READ, UNSET, command
from lianzao.foundation.entity import execute
from lianzao.foundation.facts import every_event
from lianzao.foundation.outbox import publish
from lianzao.foundation.resource import check_columns, check_unique
from lianzao.foundation.transfer import check_mapping
from lianzao.integration import queries, rules
from lianzao.integration.events import EndpointPaused, EndpointTested, PostParked
from lianzao.integration.models import Endpoint, Mapping, Post, PostStatus
from lianzao.parties.models import Party
from lianzao.values.errors import Conflict, Invalid, NotAllowed

# -- endpoints --------------------------------------------------------------------------------------------------------

#: How long the secret before is valid after a rotation, at most.
LONGEST_OVERLAP_H = 24 * 14


@command
def register_endpoint(
    by: Actor,
    *,
    code: str,
    name: str,
    url: str,
    events: list[str],
    name_en: str = "",
    partner: Annotated[Party, READ] | None = None,
    site: Annotated[Site, READ] | None = None,
    owner: Annotated[Person, READ] | None = None,
) -> Endpoint:
    """Send events to another system. `events` are names or patterns such as `sales.*`; the address must be https.

    With a partner the endpoint gets only events that list this partner, and of those only ids. Without a site it gets
    those of every site, which only somebody who works at every site may ask for. The secret is shown apart.
    """
    if site is None and by.sites is not ALL:
        raise Invalid("foreign_site", field="site")
    endpoint = Endpoint(code=code, name=name, name_en=name_en, url=url, events=events, partner=partner)
    endpoint.site_id = None if site is None else scope.check_site(by, site.id, "site")
    endpoint.owner_id = owner.id if owner is not None else by.id if by.kind in ("person", "token") else None
    _check(endpoint)
    check_columns(endpoint, ["code", "name", "name_en"])
    check_unique(endpoint)
    endpoint.key_mark = rules.mark_of(queries.secret_of(endpoint))
    endpoint.save()
    return endpoint


@command
def change_endpoint(
    by: Actor,
    *,
    endpoint: Endpoint,
    name: str = UNSET,  # type: ignore[assignment]
    name_en: str = UNSET,  # type: ignore[assignment]
    url: str = UNSET,  # type: ignore[assignment]
    events: list[str] = UNSET,  # type: ignore[assignment]
    owner: Annotated[Person, READ] | None = UNSET,  # type: ignore[assignment]
) -> Endpoint:
    """Change an endpoint's names, address, events or owner; what is on its way already goes to the new address."""
    for field, value in (("name", name), ("name_en", name_en), ("url", url), ("events", events), ("owner", owner)):
        if value is not UNSET:
            setattr(endpoint, field, value)
    _check(endpoint)
    check_columns(endpoint, ["name", "name_en"])
    endpoint.save()
    return endpoint


def _check(endpoint: Endpoint) -> None:
    target = rules.read_url(endpoint.url, allows_http=bool(endpoint.allowed_networks))
    try:
        literal = rules.first_allowed([target.host], rules.read_networks(endpoint.allowed_networks))
    except ValueError:
        literal = target.host  # a name: it is looked up, and checked, at every sending
    if literal is None:
        raise Invalid("address_not_allowed", field="url", host=target.host)
    rules.check_patterns(endpoint.events, [name for name in every_event() if not name.startswith("integration.")])


@command
def rotate_secret(by: Actor, *, endpoint: Endpoint, overlap_hours: int = 24) -> Endpoint:
    """Give an endpoint a new secret. For `overlap_hours` the old one signs as well: time to change over."""
    if not 0 <= overlap_hours <= LONGEST_OVERLAP_H:
        raise Invalid("too_large" if overlap_hours > 0 else "too_small", field="overlap_hours")
    endpoint.generation += 1
    endpoint.key_mark = rules.mark_of(queries.secret_of(endpoint))
    endpoint.old_until = clock.real_now() + timedelta(hours=overlap_hours) if overlap_hours else None
    endpoint.save()
    return endpoint


@command(hidden=True)
def show_secret(by: Actor, *, endpoint: Endpoint) -> Endpoint:
    """Note that somebody was shown an endpoint's secret. The secret is given by the route beside it, never here."""
    if by.kind == "token":
        raise NotAllowed("not_allowed", right="integration.show_secret")
    audit.touch(endpoint.kind, endpoint.id)
    return endpoint


@command
def allow_networks(by: Actor, *, endpoint: Endpoint, networks: list[str]) -> Endpoint:
    """Allow an endpoint to lie inside these private networks (10.1.0.0/16), and to be reached there by http.

    For administrators with every right only: whoever may do this can make the server speak to inner machines.
    Addresses of cloud metadata services and multicast are refused always.
    """
    if not by.may("*"):
        raise NotAllowed("not_allowed", right="*")
    endpoint.allowed_networks = [str(each) for each in rules.read_networks(networks)]
    if not networks:
        _check(endpoint)
    endpoint.save()
    return endpoint


@command
def pause_endpoint(by: Actor, *, endpoint: Endpoint, reason: str = "") -> Endpoint:
    """Send an endpoint nothing for now. Its posts wait and are sent when it is resumed."""
    if not endpoint.active:
        raise Conflict("endpoint_paused", endpoint=endpoint.code)
    _pause(endpoint, reason, by_itself=False)
    endpoint.save()
    return endpoint


def _pause(endpoint: Endpoint, why: str, *, by_itself: bool) -> None:
    endpoint.active, endpoint.paused_why = False, why[:200]
    publish(EndpointPaused(endpoint.id, by_itself, why[:200]))


@command
def resume_endpoint(by: Actor, *, endpoint: Endpoint) -> Endpoint:
    """Send to an endpoint again, what has waited first."""
    if endpoint.active:
        raise Conflict("endpoint_active", endpoint=endpoint.code)
    endpoint.active, endpoint.paused_why = True, ""
    endpoint.failures, endpoint.failing_since, endpoint.resting_until = 0, None, None
    endpoint.save()
    return endpoint


VOID = """
UPDATE integration_post SET status = 'void', next_at = NULL, version = version + 1, updated_at = %s, updated_by = %s
WHERE endpoint_id = %s AND status IN ('waiting', 'parked')
"""


@command
def retire_endpoint(by: Actor, *, endpoint: Endpoint, reason: str = "") -> Endpoint:
    """Take an endpoint out of use for good; what waits for it is void."""
    if endpoint.retired_at is not None:
        raise Conflict("already_retired", document=endpoint.code)
    endpoint.retired_at, endpoint.retired_why, endpoint.active = by.now, reason[:200], False
    endpoint.save()
    execute(VOID, [by.now, by.id, endpoint.id])
    return endpoint


@command
def send_test(by: Actor, *, endpoint: Endpoint) -> Endpoint:
    """Send an endpoint a test event (`lianzao.integration.EndpointTested.v1`), signed like any other."""
    if not endpoint.active:
        raise Conflict("endpoint_paused", endpoint=endpoint.code)
    publish(EndpointTested(endpoint.id, by.id))
    return endpoint


@command
def replay_posts(by: Actor, *, posts: list[Post]) -> dict[str, int]:
    """Send posts again, under the same webhook-id: a receiver that already has one knows it by that."""
    for post in posts:
        if post.status in (PostStatus.SENDING, PostStatus.WAITING):
            raise Conflict("post_under_way", event=post.event)
        if post.endpoint.retired_at is not None:
            raise Conflict("already_retired", document=post.endpoint.code)
        post.status, post.attempts, post.error, post.next_at = PostStatus.WAITING, 0, "", clock.real_now()
        post.leased_until = None
        post.save()
    return {"replayed": len(posts)}


# -- what became of posts ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """How one try went. `http_status` None: no answer (then `error` says why)."""

    post: UUID
    http_status: int | None
    error: str
    milliseconds: int
    retry_after_s: int | None = None
    final: bool = False


@command(hidden=True)
def record_results(by: Actor, *, endpoint: Endpoint, results: list[Result], unsent: list[UUID]) -> dict[str, int]:
    """Write down how tries went: sent, to be tried again, or parked. For the sender only.

    `unsent` are posts that were in hand and not tried; they wait again at once. `final`: trying again cannot help.
    """
    if by.kind != "system":
        raise NotAllowed("not_allowed", right="integration.record_results")
    now = clock.real_now()
    rows = Post.objects.select_for_update(of=("self",)).filter(
        endpoint=endpoint, status=PostStatus.SENDING, id__in=[*(each.post for each in results), *unsent]
    )
    posts = {post.id: post for post in rows.order_by("id")}
    told = {"sent": 0, "again": 0, "parked": 0}
    for result in results:
        post = posts.pop(result.post, None)
        if post is not None:
            told[_record(endpoint, post, result)] += 1
            _judge(endpoint, result)
    for post in posts.values():
        post.status, post.leased_until, post.next_at = PostStatus.WAITING, None, post.next_at or now
        post.save()
    failing = endpoint.failing_since
    if endpoint.active and failing is not None and now - failing > timedelta(hours=rules.FAILING_H):
        _pause(endpoint, f"no success for {rules.FAILING_H} h", by_itself=True)
    endpoint.save()
    return told


def _record(endpoint: Endpoint, post: Post, result: Result) -> str:
    now = clock.real_now()
    post.attempts += 1
    post.http_status, post.error = result.http_status, result.error[:2000]
    post.milliseconds, post.tried_at, post.leased_until = result.milliseconds, now, None
    pause = rules.pause_after(post.attempts, result.retry_after_s)
    if rules.is_success(result.http_status):
        outcome, post.status, post.next_at = "sent", PostStatus.SENT, None
    elif pause is None or result.final or result.http_status == 410:
        outcome, post.status, post.next_at = "parked", PostStatus.PARKED, None
        publish(PostParked(endpoint.id, post.id, post.event, post.attempts, post.error[:200]))
    else:
        outcome, post.status, post.next_at = "again", PostStatus.WAITING, now + timedelta(seconds=pause)
    post.save()
    return outcome


def _judge(endpoint: Endpoint, result: Result) -> None:
    """What a try says about the endpoint as a whole."""
    now = clock.real_now()
    if rules.is_success(result.http_status):
        endpoint.failures, endpoint.failing_since, endpoint.resting_until = 0, None, None
        return
    if result.http_status == 410 and endpoint.active:
        _pause(endpoint, "410 Gone", by_itself=True)
    if result.final:
        return
    endpoint.failing_since = endpoint.failing_since or now
    if rules.is_down(result.http_status):
        endpoint.failures += 1
        rest = rules.breath_after(endpoint.failures, result.retry_after_s)
        endpoint.resting_until = now + timedelta(seconds=rest)


# -- mappings ---------------------------------------------------------------------------------------------------------


@command
def save_mapping(
    by: Actor, *, code: str, name: str, kind_name: str, mapping: dict[str, Any], name_en: str = ""
) -> Mapping:
    """Keep a mapping under a code, to import one system's files by again and again; the old one is replaced.

    `kind_name` is the kind it fills ("catalog.item"). Raises Invalid naming the place where the mapping is wrong.
    """
    check_mapping(by, kind_name, mapping)
    found = Mapping.objects.filter(code=code).select_for_update().first() or Mapping(code=code)
    found.name, found.name_en, found.kind_name, found.mapping = name, name_en, kind_name, mapping
    found.retired_at, found.retired_why = None, ""
    check_columns(found, ["code", "name", "name_en", "kind_name"])
    found.save()
    return found


@command
def retire_mapping(by: Actor, *, mapping: Mapping, reason: str = "") -> Mapping:
    """Take a mapping out of use."""
    if mapping.retired_at is not None:
        raise Conflict("already_retired", document=mapping.code)
    mapping.retired_at, mapping.retired_why = by.now, reason[:200]
    mapping.save()
    return mapping
