"""Everything one can ask or order, asked by those whom it is none of their business: two foreign partners, somebody of
another site, and nobody. No row, no hidden column, no count, and no word on whether something exists comes out.

The walk is made from the registries and the OpenAPI document, over the demo plant with all its papers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection, models
from django.test import Client

from lianzao.access import commands as access
from lianzao.access.models import Role, Site
from lianzao.access.queries import actor_for
from lianzao.access.rules import SCREENS, display_rights
from lianzao.foundation import http, registry, scope
from lianzao.foundation.actor import ALL, Actor, system_actor
from lianzao.foundation.command import Command, run
from lianzao.foundation.entity import Entity, SiteField
from lianzao.foundation.hearing import Ear, News, kinds_by_entity, topics_of
from lianzao.foundation.outbox import EventRow
from lianzao.foundation.resource import Resource
from lianzao.inventory.models import Lot
from lianzao.values.time import uuid7
from tests.contract.test_bad_input import COMMANDS, RESOURCES, sent
from tests.hostile import Plant, kind_of_value
from tests.recorder import Recorder
from tests.scenario.test_demo import built, works

__all__ = ["built", "works"]
registry.load()
import_module("project.urls")
UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def owner_path(model: type[models.Model], seen: tuple[Any, ...] = ()) -> str | None:
    """The way from a row to the site it belongs to, found from columns alone, not from what the rooms declare."""
    for column in model._meta.concrete_fields:
        if isinstance(column, SiteField):
            return column.name
    for column in model._meta.concrete_fields:
        target = column.related_model if isinstance(column, models.ForeignKey) else None
        if isinstance(target, type) and not column.null and target not in seen and issubclass(target, models.Model):
            if target is Site:
                return column.attname
            # What belongs to somebody is kept with him: a line with its order, a report with its work order.
            if getattr(column.remote_field, "on_delete", None) is models.CASCADE:
                beyond = owner_path(target, (*seen, model))
                if beyond is not None:
                    return f"{column.name}__{beyond}"
    return None


HOUSE = [
    each
    for each in apps.get_models()
    if each._meta.app_config.name.startswith("lianzao.") and each._meta.pk.name == "id"  # type: ignore[union-attr]
]
LABELS = ("number", "customer_reference", "delivery_note", "tracking_number", "sscc")


@dataclass
class Secrets:
    """What must not come out: ids of rows, and the names on papers."""

    ids: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def take(self, rows: models.QuerySet[Any], *, labels: bool = True) -> None:
        """Add the ids and labels of rows."""
        names = [each.attname for each in rows.model._meta.concrete_fields if each.name in LABELS] if labels else []
        for id, *said in rows.values_list("pk", *names):
            self.ids.add(str(id))
            self.texts.update(text for text in said if text and len(text) >= 6)

    def found_in(self, text: str) -> list[str]:
        """The secrets that a text tells."""
        return [*(set(UUIDS.findall(text)) & self.ids), *(each for each in self.texts if each in text)]


def of_other_sites(at: UUID) -> Secrets:
    """All that belongs to sites but this one."""
    secrets = Secrets()
    for model in HOUSE:
        path = owner_path(model)
        if path is not None:
            secrets.take(model._default_manager.exclude(**{path: at}).exclude(**{f"{path}__isnull": True}))
    secrets.take(Site.objects.exclude(pk=at), labels=False)
    return secrets


def of_everybody_else(partner: UUID, own: set[str]) -> Secrets:
    """All that is not a partner's own paper, and not for all partners."""
    secrets = Secrets()
    for model in HOUSE:
        declared = registry.RESOURCES.get(registry.kind_of(model))
        if declared is not None and declared.partner == scope.EVERYBODY:
            continue
        secrets.take(model._default_manager.all())
    secrets.ids -= own
    return secrets


@dataclass
class Walker:
    """Somebody whom it is none of his business, and what must not reach him."""

    name: str
    by: Actor | None
    secrets: Secrets
    acts: Actor | None = None
    faults: list[str] = field(default_factory=list)

    def reads(self, what: str, answer: Any, asked: str = "") -> None:
        """Note what an answer tells that it must not. What was asked for by its id may be said back."""
        text = answer.content.decode("utf-8", "replace")
        told = [each for each in self.secrets.found_in(text) if each not in asked]
        if self.name == "another site" and re.search(r"inventory[./](\w+_)?lot", what):
            # A lot goes from site to site, and with it number and id of the paper it was made by; not where it lies.
            known = {str(each) for row in Lot.objects.values_list("number", "source_id") for each in row}
            told = [each for each in told if each not in known]
        if told:
            self.faults.append(f"{what}: {answer.status_code} tells {sorted(told)[:4]}")
        if answer.status_code >= 500:
            self.faults.append(f"{what}: {answer.status_code} {text[:200]}")


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client that is somebody."""

    def client(by: Actor | None) -> Client:
        monkeypatch.setattr(http, "_identify", lambda request: by)
        return Client(headers={"Authorization": "Bearer test"})

    return client


@pytest.fixture
def walkers(works: Any) -> list[Walker]:
    """Two partners without papers here and somebody of another site, each with every right to see there is; and nobody.

    A partner orders with the rights of his role: what a role for partners may hold beyond that is the administrator's.
    """
    system = system_actor("setup")
    site = run(system, "access.create_site", {"code": "FAR", "name": "远方工厂", "name_en": "Far"})
    run(system, "plant.set_up_site", {"site_id": str(site.id)})
    made: list[Walker] = []
    for role, roles in (("supplier", {"is_supplier": True, "is_carrier": True}), ("customer", {"is_customer": True})):
        party = run(system, "parties.create_party", {"code": f"F-{role}", "name": role, "currency": "CNY", **roles})
        person = access.create_person(system, login=f"far-{role}", name=role, partner_id=party.id)
        access.assign_role(system, person=person, role=Role.objects.get(code=role))
        by = actor_for(f"far-{role}")
        own = {str(party.id), str(person.id), *map(str, person.assignments.values_list("id", flat=True))}
        mighty = replace(by, rights=frozenset({"*"}), memory={})
        made.append(Walker(f"foreign {role}", mighty, of_everybody_else(party.id, own), acts=by))
    sites = frozenset({site.id})
    elsewhere = Actor(id=uuid7(), name="elsewhere", sites=sites, site=site.id, rights=frozenset({"*"}), language="en")
    made.append(Walker("another site", elsewhere, of_other_sites(site.id), acts=elsewhere))
    wall = Actor(id=uuid7(), name="wall", kind="device", sites=sites, site=site.id, rights=display_rights(SCREENS))
    made.append(Walker("a wall display of another site", wall, of_other_sites(site.id), acts=wall))
    made.append(Walker("nobody", None, of_other_sites(site.id)))
    return made


def some_ids(model: type[models.Model], secrets: Secrets, most: int = 2) -> list[UUID]:
    """Rows of a kind that the walker must not know of."""
    rows = model._default_manager.order_by("-pk").values_list("pk", flat=True)[:400]
    return [each for each in rows if str(each) in secrets.ids][:most]


def alike(answer: Any, id: Any) -> tuple[int, str]:
    """An answer without what differs from one asking to the next."""
    text = re.sub(r'"trace_id":\s*"[^"]*"', "", answer.content.decode("utf-8", "replace"))
    return answer.status_code, text.replace(str(id), "ID")


def tell(walkers: list[Walker]) -> None:
    """Fail with all that was told."""
    faults = [f"{each.name}: {fault}" for each in walkers for fault in dict.fromkeys(each.faults)]
    assert not faults, "\n".join(faults)


# -- asking -----------------------------------------------------------------------------------------------------------


def test_lists_records_exports_and_searches_tell_nothing(walkers: list[Walker], acting: Any) -> None:
    numbers = {kind: label_of(registry.RESOURCES[kind].model) for kind in registry.RESOURCES}
    for walker in walkers:
        client = acting(walker.by)
        for resource in RESOURCES:
            path = f"/api/{resource.room}/{resource.entity}"
            for query in questions(resource, numbers[resource.kind], walker):
                answer = client.get(path, query)
                walker.reads(f"{path}?{query}", answer, json.dumps(query, default=str))
                if answer.status_code == 200 and asks_for_one(query) and answer.json()["total"]:
                    rows = answer.json()["rows"]
                    if any(row["id"] in walker.secrets.ids for row in rows) or not rows:
                        walker.faults.append(f"{path}?{query}: counts {answer.json()['total']}")
                if walker.by is None and answer.status_code != 401:
                    walker.faults.append(f"{path}: nobody gets {answer.status_code}")
            for name in groupable(resource):
                answer = client.get(f"{path}/groups", {"by": name})
                walker.reads(f"{path}/groups?by={name}", answer)
            for form in ("csv", "xlsx"):
                answer = client.get(f"{path}/export", {"format": form})
                walker.reads(f"{path}/export {form}", answer)
            for id in some_ids(resource.model, walker.secrets):
                foreign, unknown = uuid7(), client.get(f"{path}/{id}")
                walker.reads(f"{path}/id", unknown, str(id))
                if alike(unknown, id) != alike(client.get(f"{path}/{foreign}"), foreign):
                    walker.faults.append(
                        f"{path}/{id}: {unknown.status_code}, and another answer for what is not there"
                    )
    tell(walkers)


def groupable(resource: Resource) -> list[str]:
    """What rows are put together by to learn of them: what names them, and what they point at."""
    columns = [name for name in resource.column_names if isinstance(resource.field(name), models.ForeignKey)]
    return [*(name for name in LABELS if name in resource.column_names), *columns][:4]


def label_of(model: type[models.Model]) -> str | None:
    names = {each.name for each in model._meta.concrete_fields}
    return next((name for name in ("number", "code") if name in names), None)


def asks_for_one(query: dict[str, str]) -> bool:
    return "q" in query or "id" in query


def questions(resource: Resource, label: str | None, walker: Walker) -> Iterator[dict[str, str]]:
    """Ways to ask for what one must not know: all, by id, by name, by what it points at."""
    yield {"limit": "500"}
    ids = some_ids(resource.model, walker.secrets)
    for id in ids:
        yield {"id": str(id)}
    if label is not None and ids:
        yield {"q": str(resource.model._default_manager.values_list(label, flat=True).get(pk=ids[0]))}
    for name in resource.filter_names:
        column = resource.field(name)
        target = column.related_model if isinstance(column, models.ForeignKey) else None
        if isinstance(target, type) and issubclass(target, models.Model):
            for id in some_ids(target, walker.secrets, 1):
                yield {name: str(id)}
    if "site_id" in resource.column_names:
        for site in some_ids(Site, walker.secrets, 1):
            yield {"site_id": str(site)}


#: What was done at a site or heard of there, each command at most twice.
ORDERS_OF_SITES = """
SELECT id FROM (
    SELECT o.id, row_number() OVER (PARTITION BY o.command ORDER BY o.recorded_at DESC) AS turn FROM foundation_order o
    WHERE EXISTS (SELECT 1 FROM foundation_event e WHERE e.order_id = o.id AND e.site_id IN
                  (SELECT id FROM access_site WHERE code <> 'FAR'))
) turns WHERE turn <= 1 ORDER BY id DESC LIMIT 40
"""


def own_routes() -> list[tuple[str, list[str]]]:
    """The GET routes that follow from no resource: path and names of parameters."""
    derived = {f"/api/{each.room}/{each.entity}{tail}" for each in RESOURCES for tail in ("", "/export", "/{id}")}
    http.Rooms.build()
    paths = http.api.get_openapi_schema()["paths"]
    return [
        (path, [each["name"] for each in told["get"].get("parameters", [])])
        for path, told in paths.items()
        if "get" in told and path not in derived
    ]


#: What a door shows to whoever stands before it, and nothing of the plant.
OPEN = {"/api/clock", "/api/access/me", "/api/access/this_device"}
NAMED = {
    "order_id": "sales.sales_order",
    "work_center_id": "plant.work_center",
    "lot_id": "inventory.lot",
    "site": "access.site",
}


def test_all_other_pages_tell_nothing(walkers: list[Walker], acting: Any) -> None:
    routes = own_routes()
    assert len(routes) >= 15
    kinds = [each.kind for each in RESOURCES]
    orders = list(map(str, query_ids(ORDERS_OF_SITES)))
    for walker in walkers:
        client = acting(walker.by)
        walker.secrets.ids.update(orders)
        for path, names in routes:
            for place, asked in asked_for(path, names, kinds, orders, walker):
                answer = client.get(place, asked)
                walker.reads(f"{place} {asked}", answer, place + json.dumps(asked))
                if walker.by is None and path not in OPEN and answer.status_code != 401:
                    walker.faults.append(f"{path}: nobody gets {answer.status_code}")
                for id in UUIDS.findall(place + json.dumps(asked)):
                    other = str(uuid7())
                    unknown = client.get(place.replace(id, other), {k: v.replace(id, other) for k, v in asked.items()})
                    if alike(answer, id) != alike(unknown, other):
                        walker.faults.append(
                            f"{place} {asked}: {answer.content[:150]!r}, else {unknown.content[:150]!r}"
                        )
    tell(walkers)


def query_ids(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [row[0] for row in cursor.fetchall()]


def asked_for(
    path: str, names: list[str], kinds: list[str], orders: list[str], walker: Walker
) -> Iterator[tuple[str, dict[str, str]]]:
    """A route with what the walker must not know put in its places."""
    if "{kind}" in path:
        for kind in kinds:
            for id in some_ids(registry.model_of(kind), walker.secrets, 1):
                yield re.sub(r"\{(document_)?id\}", str(id), path.replace("{kind}", kind)), {}
        return
    if "/story/" in path:
        for order in orders:
            yield path.replace("{order_id}", order), {}
        return
    if "code" in names:
        for text in sorted(walker.secrets.texts)[:200]:
            yield path, {"code": text}
        return
    wanted = [name for name in names if name in NAMED]
    if "{" not in path:
        yield path, {}
    for name in wanted:
        for id in some_ids(registry.model_of(NAMED[name]), walker.secrets, 3):
            if f"{{{name}}}" in path:
                for more in ({}, {"direction": "forward"}) if "direction" in names else ({},):
                    yield path.replace(f"{{{name}}}", str(id)), dict(more)
            else:
                # What else stands in the path is nobody's, so that the door itself is asked.
                yield re.sub(r"\{\w+\}", lambda _: str(uuid7()), path), {name: str(id)}


#: What a wall display may read: its screens, itself, and the time.
FOR_DEVICES = {"/api/access/this_display", "/api/clock"}


def test_a_wall_display_reads_its_own_screens_and_nothing_else_of_its_own_site(works: Any, acting: Any) -> None:
    shown = ["order_progress"]
    wall = Actor(
        id=uuid7(), name="wall", kind="device", sites=frozenset({works.site_id}), site=works.site_id,
        rights=display_rights(shown),
    )  # fmt: skip
    client = acting(wall)
    own = {f"/api/overviews/screen/{name}" for name in shown}
    walker = Walker("wall", wall, Secrets())
    walker.secrets.take(Lot.objects.all())
    faults = []
    for resource in RESOURCES:
        for tail in ("", "/export", f"/{uuid7()}"):
            path = f"/api/{resource.room}/{resource.entity}{tail}"
            if client.get(path).status_code != 403:
                faults.append(path)
    kinds = [each.kind for each in RESOURCES]
    orders = list(map(str, query_ids(ORDERS_OF_SITES)))
    for path, names in own_routes():
        for place, asked in asked_for(path, names, kinds, orders, walker):
            status = client.get(place, asked).status_code
            if (status != 403) != (path in FOR_DEVICES | own | {"/api/access/this_device"}):
                faults.append(f"{place} {asked}: {status}")
    answer = client.get("/api/overviews/screen/order_progress")
    assert answer.status_code == 200 and answer.json()["stages"] is not None
    foreign = client.get("/api/overviews/screen/order_progress", {"site": str(uuid7())})
    assert foreign.status_code == 404
    for command in COMMANDS:
        answer = client.post(f"/api/{command.room}/{command.name}", {}, content_type="application/json")
        if answer.status_code not in (403, 422):
            faults.append(f"{command.key}: {answer.status_code}")
    assert not faults, "\n".join(faults)


# -- ordering ---------------------------------------------------------------------------------------------------------


def test_no_order_reaches_what_is_not_ones_own_nor_says_that_it_is_there(
    walkers: list[Walker], acting: Any, recorder: Recorder
) -> None:
    """Each record a command names, foreign and not there at all: the same answer. What is carried out touches nothing
    foreign."""
    for walker in walkers:
        client = acting(walker.acts)
        plant = Foreign(walker)
        for command in COMMANDS:
            for turn in (0, 1):
                body = plant.body(command, turn)
                foreign = [each for each in command.parameters if names_a_foreign(each, body, walker)]
                answer, wrote = ordered(client, command, body)
                walker.reads(command.key, answer, json.dumps(body))
                walker.faults.extend(f"{command.key}: {fault}" for fault in touched(wrote, walker))
                if walker.by is None and answer.status_code != 401 and answer.status_code != 422:
                    walker.faults.append(f"{command.key}: nobody gets {answer.status_code}")
                for each in foreign:
                    id, other = first_id(body[each.name]), str(uuid7())
                    there = alike(ordered(client, command, body)[0], id)
                    not_there = alike(ordered(client, command, put(body, id, other))[0], other)
                    if there != not_there:
                        walker.faults.append(f"{command.key}.{each.name}: {there}, else {not_there}")
    assert [each for each in recorder.taken_faults() if "statements" not in each] == []
    tell(walkers)


class Foreign(Plant):
    """Bodies made of what the walker must not know."""

    def __init__(self, walker: Walker) -> None:
        super().__init__()
        self.walker = walker

    def records(self, model: type[Entity]) -> list[UUID]:
        """Foreign rows first; where none is foreign, whatever there is."""
        if model not in self._known:
            self._known[model] = some_ids(model, self.walker.secrets, 20) or super().records(model)
        return self._known[model]


def names_a_foreign(each: Any, body: dict[str, Any], walker: Walker) -> bool:
    return kind_of_value(each) in ("record", "id") and first_id(body.get(each.name)) in walker.secrets.ids


def first_id(value: Any) -> str:
    return str(value[0]) if isinstance(value, list) and value else str(value)


def put(body: dict[str, Any], id: str, other: str) -> dict[str, Any]:
    return json.loads(json.dumps(body).replace(id, other))


def ordered(client: Client, command: Command[Any, Any], body: dict[str, Any]) -> tuple[Any, list[str]]:
    """What a command answers and which records it touched; then it is taken back."""
    wrote: list[str] = []

    before = query_ids("SELECT count(*) FROM foundation_order")[0]

    def look() -> None:
        if query_ids("SELECT count(*) FROM foundation_order")[0] > before:
            last = "(SELECT touched FROM foundation_order ORDER BY recorded_at DESC, id DESC LIMIT 1)"
            wrote.extend(query_ids(f"SELECT unnest(one.touched)::text FROM {last} AS one"))

    answer = sent(client, command, body, look)
    return answer, wrote


def touched(wrote: list[str], walker: Walker) -> list[str]:
    return [f"wrote {id}" for id in wrote if id in walker.secrets.ids]


# -- hearing ----------------------------------------------------------------------------------------------------------


def test_no_news_reaches_whom_it_is_not_for(walkers: list[Walker]) -> None:
    kinds = kinds_by_entity()
    rows = list(EventRow.objects.order_by("-id")[:4000])
    assert len({row.name for row in rows}) > 30
    for walker in walkers:
        if walker.by is None:
            continue
        ear = Ear(walker.by)
        for row in rows:
            payload = row.payload
            news = News(
                row.id, row.name, row.at, row.site_id, payload, 1, "1:", topics_of(row.name, payload, kinds),
                frozenset(map(str, payload.get("partner_ids") or ())),
            )  # fmt: skip
            if ear.hears(news):
                told = walker.secrets.found_in(ear.frame(news).decode())
                if told and (row.site_id is not None or walker.by.partner is not None):
                    walker.faults.append(f"{row.name} told {told[:3]}")
        for site in some_ids(Site, walker.secrets):
            if ear.may_ask(f"site:{site}"):
                walker.faults.append(f"may listen to site {site}")
    tell(walkers)


# -- hidden columns ---------------------------------------------------------------------------------------------------

MASKED = [each for each in RESOURCES if each.masks]


def hidden_names() -> set[str]:
    return {name for each in MASKED for name in each.mask_names}


def test_hidden_columns_come_out_nowhere_and_cannot_be_asked_for(works: Any, acting: Any) -> None:
    """Somebody of the house with every right but to see prices and costs."""
    rights = {each.view_right for each in RESOURCES} | {
        "foundation.view_order",
        "foundation.retry_deliveries",
        "overviews.*",
    }
    by = Actor(id=uuid7(), name="no prices", sites=ALL, site=works.site_id, rights=frozenset(rights), language="en")
    client, faults = acting(by), []
    assert len(MASKED) >= 8
    for resource in MASKED:
        path = f"/api/{resource.room}/{resource.entity}"
        answer = client.get(path).json()
        for name in resource.mask_names:
            assert all(row[name] is None and name in row["masked"] for row in answer["rows"]), (resource.kind, name)
            for query in (
                {name: "1"},
                {f"{name}__gte": "0"},
                {f"{name}__isnull": "false"},
                {"sort": name},
                {"sort": f"-{name}"},
            ):
                if client.get(path, query).status_code != 422 or client.get(f"{path}/export", query).status_code != 422:
                    faults.append(f"{path} answers {query}")
        for row in answer["rows"][:2]:
            record = client.get(f"{path}/{row['id']}").json()
            faults += told_hidden(f"{path}/id", record, resource)
            history = client.get(f"/api/foundation/history/{resource.kind}/{row['id']}")
            if history.status_code == 200:
                faults += told_hidden(f"history of {resource.kind}", history.json(), resource)
    faults += told_pages(client)
    assert faults == []


def told_pages(client: Client) -> list[str]:
    """The pages that join rooms, and the stories behind them, tell no hidden column under its own name."""
    found: list[str] = []
    prices = {name for name in hidden_names() if name not in ("reasons", "value")}
    walker = Walker("no prices", None, Secrets())
    everything = of_everybody_else(uuid7(), set())
    walker.secrets = everything
    orders = query_ids("SELECT id FROM foundation_order ORDER BY random() LIMIT 40")
    for path, names in own_routes():
        if "{kind}" in path:
            continue
        for place, asked in asked_for(path, names, [], list(map(str, orders)), walker):
            answer = client.get(place, asked)
            if answer.status_code == 200 and not path.endswith(("asyncapi.json", "meta", "alerts/events")):
                found += [f"{path} tells {name}" for name in told_names(answer.json()) & prices]
    return sorted(set(found))


def told_names(told: Any) -> set[str]:
    """The names in an answer that come with a value."""
    if isinstance(told, dict):
        own = {
            name
            for name, value in told.items()
            if value not in (None, "", [], {}) and not isinstance(value, (dict, list))
        }
        return own.union(*(told_names(value) for value in told.values()))
    if isinstance(told, list):
        return set().union(*(told_names(each) for each in told))
    return set()


def told_hidden(what: str, told: Any, resource: Resource) -> list[str]:
    names = told_names(told) & (set(resource.mask_names) | {"price", "amount", "standard_cost", "cost_rate"})
    return [f"{what} tells {name}" for name in sorted(names)]
