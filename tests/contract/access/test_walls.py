"""The second wall, tried by raw SQL as the application role: partners, reports, and the past."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError, ProgrammingError
from psycopg import sql

from lianzao.access.models import Site
from lianzao.catalog.models import Item, Unit
from lianzao.foundation import clock, registry, rowsecurity, scope
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.entity import Entity
from lianzao.foundation.rowsecurity import APPEND_ONLY, APPLICATION, PARTNER, REPORT
from lianzao.parties.models import Contact, Party
from lianzao.sales.models import PromiseChange, SalesOrder, SalesOrderLine
from lianzao.values.errors import Invalid, NotFound
from lianzao.values.time import uuid7
from project.postgres import OWNER

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 2)


def put(entity: Entity) -> Any:
    """A row as it would lie there, without the command that makes it: only the walls are tried here."""
    entity.created_at = entity.updated_at = clock.real_now()
    type(entity)._default_manager.bulk_create([entity])
    return entity


@pytest.fixture
def parties() -> list[Party]:
    made = [put(Party(code=f"S{number}", name=f"供应商 {number}", is_supplier=True)) for number in (1, 2)]
    for party in made:
        put(Contact(party=party, name=f"联系人 {party.code}"))
    return made


def partner_of(party_id: UUID, sites: Any = ALL) -> Actor:
    rights = frozenset({"parties.view_*", "access.view_site"})
    return Actor(id=uuid7(), name="partner", kind="partner", sites=sites, partner=party_id, rights=rights)


@contextmanager
def role(name: str, **settings: str) -> Iterator[Any]:
    """What SQL sees in a role with such settings, until the block ends."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {name}")
        for key, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [f"lianzao.{key}", value])
        yield cursor
        cursor.execute("RESET ROLE")
        for key in settings:
            cursor.execute("SELECT set_config(%s, '', true)", [f"lianzao.{key}"])


def column(cursor: Any, query: str) -> set[Any]:
    cursor.execute(query)
    return {row[0] for row in cursor.fetchall()}


def refused(cursor: Any, query: str) -> str:
    """The message PostgreSQL refuses a statement with."""
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        cursor.execute(query)
    return str(error.value)


# -- the partner's wall -----------------------------------------------------------------------------------------------


def test_the_wall_stands_as_this_version_wants_it() -> None:
    assert [each for each in rowsecurity.problems() if each not in scope.problems()] == []


def test_what_the_rooms_declare_leads_somewhere_and_can_be_read() -> None:
    assert scope.problems() == []


def test_a_partner_sees_his_own_rows_and_nobody_elses(parties: list[Party]) -> None:
    with role(PARTNER, partner=str(parties[0].id)) as cursor:
        assert column(cursor, "SELECT code FROM parties_party") == {"S1"}
        assert column(cursor, "SELECT name FROM parties_contact") == {"联系人 S1"}
        assert column(cursor, f"SELECT code FROM parties_party WHERE id = '{parties[1].id}'") == set()


@pytest.mark.parametrize("partner", ["", None])
def test_a_partner_who_is_not_said_sees_nothing(parties: list[Party], partner: str | None) -> None:
    put(Site(code="SZ", name="苏州"))
    settings = {} if partner is None else {"partner": partner}
    with role(PARTNER, **settings) as cursor:
        for table in ("parties_party", "parties_contact", "catalog_item", "catalog_unit", "access_site"):
            assert column(cursor, f"SELECT id FROM {table}") == set(), table


def test_what_all_partners_may_read_needs_a_partner_all_the_same() -> None:
    put(Site(code="SZ", name="苏州"))
    with role(PARTNER, partner=str(uuid7())) as cursor:
        assert column(cursor, "SELECT code FROM access_site") == {"SZ"}


def test_a_partner_may_not_write_nor_look_behind(parties: list[Party]) -> None:
    with role(PARTNER, partner=str(parties[0].id)) as cursor:
        for statement in (
            "UPDATE parties_party SET name = 'x'",
            "DELETE FROM parties_contact",
            "INSERT INTO catalog_unit (id) VALUES (gen_random_uuid())",
            "SELECT * FROM access_person",
            "SELECT * FROM access_credential",
            "SELECT * FROM access_session",
            "SELECT * FROM access_token",
            "SELECT * FROM foundation_order",
            "SELECT * FROM foundation_event",
            "SELECT * FROM foundation_link",
            "SELECT * FROM django_migrations",
        ):
            assert "permission denied" in refused(cursor, statement), statement


def test_no_table_is_open_to_partners_but_those_declared() -> None:
    registry.load()
    open_to = {
        resource.model._meta.db_table
        for resource in registry.RESOURCES.values()
        if scope.paths_of(resource.model).partner
    }
    ways: set[str] = set()
    for resource in registry.RESOURCES.values():
        for part in resource.part_models.values():
            if scope.paths_of(part).partner:
                open_to.add(part._meta.db_table)
        for path in scope.paths_of(resource.model).partner:
            if path != "*":
                ways |= {hop.target._meta.db_table for hop in scope.hops_of(resource.model, path)[0]}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, has_table_privilege(%s, oid, 'SELECT') FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')"
            " AND (has_table_privilege(%s, oid, 'SELECT') OR has_any_column_privilege(%s, oid, 'SELECT'))",
            [PARTNER] * 3,
        )
        found = dict(cursor.fetchall())
    assert set(found) <= open_to | ways
    assert {table for table, whole in found.items() if whole} <= open_to


def test_every_partner_resource_can_be_read_as_a_stranger_and_shows_nothing() -> None:
    """The policies of every room are run: valid, permitted, and closed to a partner without papers."""
    registry.load()
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        tables = {row[0] for row in cursor.fetchall()}
    tried = 0
    with role(PARTNER, partner=str(uuid7()), sites="*") as cursor:
        for resource in registry.RESOURCES.values():
            table = resource.model._meta.db_table
            if table in tables and scope.paths_of(resource.model).partner:
                rows = column(cursor, f'SELECT id FROM "{table}"')
                assert rows == set() or "*" in scope.paths_of(resource.model).partner, table
                tried += 1
    assert tried >= 5


def test_rows_of_a_paper_are_seen_through_the_paper(parties: list[Party]) -> None:
    """Lines carry no customer: the wall goes up to the order, and from a promise over the line to the order."""
    site, unit = put(Site(code="SZ", name="苏州")), put(Unit(code="pcs", name="件"))
    item = put(Item(code="FG-1", name="成品", base_unit=unit))
    for number, party in enumerate(parties, start=1):
        order = put(
            SalesOrder(number=f"SO-{number}", site_id=site.id, customer=party, ordered_on=DAY, currency="CNY", amount=5)
        )
        line = put(
            SalesOrderLine(
                order=order, sequence=number, item=item, quantity=1, unit=unit, typed_quantity=1, requested_on=DAY
            )
        )
        put(PromiseChange(line=line, new_on=DAY + timedelta(days=number), offered_at=clock.real_now()))
    seen = {}
    for party in parties:
        with role(PARTNER, partner=str(party.id)) as cursor:
            seen[party.code] = (
                column(cursor, "SELECT number FROM sales_sales_order"),
                column(cursor, "SELECT sequence FROM sales_sales_order_line"),
                column(cursor, "SELECT new_on FROM sales_promise_change"),
            )
        by = partner_of(party.id)
        assert {line.sequence for line in scope.visible(by, SalesOrderLine)} == seen[party.code][1]
        assert {change.new_on for change in scope.visible(by, PromiseChange)} == seen[party.code][2]
    assert seen == {
        "S1": ({"SO-1"}, {1}, {DAY + timedelta(days=1)}),
        "S2": ({"SO-2"}, {2}, {DAY + timedelta(days=2)}),
    }
    with role(PARTNER) as cursor:
        for table in ("sales_sales_order", "sales_sales_order_line", "sales_promise_change", "catalog_item"):
            assert column(cursor, f"SELECT id FROM {table}") == set(), table
    elsewhere = Actor(id=uuid7(), name="a", sites=frozenset({uuid7()}))
    here = Actor(id=uuid7(), name="a", sites=frozenset({site.id}))
    assert scope.visible(elsewhere, PromiseChange).count() == 0 and scope.visible(here, PromiseChange).count() == 2


# -- as_partner -------------------------------------------------------------------------------------------------------


def test_reads_within_as_partner_stand_behind_the_wall_even_without_a_filter(parties: list[Party]) -> None:
    by = partner_of(parties[0].id)
    with rowsecurity.as_partner(by):
        assert {party.code for party in Party.objects.all()} == {"S1"}
        with rowsecurity.as_partner(partner_of(parties[1].id)):  # an inner one cannot change it
            assert {party.code for party in Party.objects.all()} == {"S1"}
        assert {party.code for party in Party.objects.all()} == {"S1"}
        with rowsecurity.as_application():
            assert Party.objects.count() == 2
        assert Party.objects.count() == 1
    assert Party.objects.count() == 2
    with connection.cursor() as cursor:
        assert column(cursor, "SELECT current_user::text") == {APPLICATION}
        assert column(cursor, "SELECT current_setting('lianzao.partner')") == {""}


def test_writing_within_as_partner_is_refused_and_the_role_is_given_back(parties: list[Party]) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), rowsecurity.as_partner(partner_of(parties[0].id)):
        Party.objects.update(name="x")
    assert Party.objects.filter(name="x").count() == 0
    Party.objects.update(name="y")


def test_a_failure_outside_the_wall_leads_back_behind_it(parties: list[Party]) -> None:
    with rowsecurity.as_partner(partner_of(parties[0].id)):
        with pytest.raises(ZeroDivisionError), rowsecurity.as_application():
            assert Party.objects.count() == 2
            raise ZeroDivisionError
        assert Party.objects.count() == 1
        with connection.cursor() as cursor:
            assert column(cursor, "SELECT current_user::text") == {PARTNER}


def test_our_own_people_pass_as_partner_untouched(parties: list[Party]) -> None:
    with rowsecurity.as_partner(Actor(id=uuid7(), name="own", sites=ALL)):
        assert Party.objects.count() == 2


# -- reports ----------------------------------------------------------------------------------------------------------


def test_a_report_sees_its_sites_only() -> None:
    one, two = put(Site(code="SZ", name="苏州")), put(Site(code="WH", name="武汉"))
    by_setting = {str(one.id): {"SZ"}, f"{one.id},{two.id}": {"SZ", "WH"}, "*": {"SZ", "WH"}, "": set()}
    for setting, expected in by_setting.items():
        assert _as_report(setting, "SELECT code FROM access_site") == expected


def _as_report(sites: str, query: str) -> set[Any]:
    """What the policies of the report role let through, asked by the application with the same conditions."""
    wall = rowsecurity.Wall({"access_site"})
    rules = " OR ".join(wall.rows[REPORT]["access_site"])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lianzao.sites', %s, true)", [sites])
        return column(cursor, f"{query} WHERE {rules}")


# -- the past ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_the_application_may_not_change_the_past(table: str) -> None:
    with connection.cursor() as cursor:
        for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            assert "permission denied" in refused(cursor, statement), statement


def test_credentials_are_for_the_application_alone() -> None:
    with connection.cursor() as cursor:
        for table in ("access_credential", "access_session", "access_login_failure"):
            for who in (PARTNER, REPORT):
                cursor.execute("SELECT has_any_column_privilege(%s, %s, 'SELECT')", [who, table])
                assert cursor.fetchone() == (False,), (who, table)
        for table, secret in (("access_token", "digest"), ("access_station", "key_digest")):
            cursor.execute("SELECT has_column_privilege(%s, %s, %s, 'SELECT')", [REPORT, table, secret])
            assert cursor.fetchone() == (False,), table


# -- the first wall ---------------------------------------------------------------------------------------------------


def test_scope_limits_by_site_and_by_partner(parties: list[Party]) -> None:
    one, two = put(Site(code="SZ", name="苏州")), put(Site(code="WH", name="武汉"))
    at_one = Actor(id=uuid7(), name="a", sites=frozenset({one.id}))
    assert list(scope.visible(at_one, Site)) == [one]
    assert list(scope.visible(Actor(id=uuid7(), name="nobody"), Site)) == []
    assert list(scope.visible(Actor(id=uuid7(), name="nobody"), Party)) == []
    assert set(scope.visible(Actor(id=uuid7(), name="all", sites=ALL), Site)) == {one, two}
    partner = partner_of(parties[0].id)
    assert [party.code for party in scope.visible(partner, Party)] == ["S1"]
    assert [contact.party.id for contact in scope.visible(partner, Contact)] == [parties[0].id]
    from lianzao.access.models import Person

    assert list(scope.visible(partner, Person)) == []


def test_both_walls_let_the_same_rows_through(parties: list[Party]) -> None:
    for party in parties:
        by = partner_of(party.id)
        with rowsecurity.as_partner(by):
            behind = {model: set(model._default_manager.values_list("pk", flat=True)) for model in (Party, Contact)}
        for model, rows in behind.items():
            assert rows == set(scope.visible(by, model).values_list("pk", flat=True)) and len(rows) == 1


def test_a_model_nobody_declares_is_not_shown() -> None:
    from lianzao.access.models import Credential

    with pytest.raises(LookupError, match="no Resource declares"):
        scope.visible(Actor(id=uuid7(), name="a", sites=frozenset({uuid7()})), Credential)


def test_the_guards_for_commands() -> None:
    site, party = uuid7(), uuid7()
    assert scope.check_site(Actor(id=None, name="a", sites=frozenset({site})), site) == site
    with pytest.raises(Invalid, match="foreign_site"):
        scope.check_site(Actor(id=None, name="a"), site)
    assert scope.check_partner(partner_of(party), party) == party
    with pytest.raises(NotFound):
        scope.check_partner(partner_of(party), uuid7())


def test_masked_columns_are_given_as_null_and_named() -> None:
    plain = Actor(id=None, name="a", rights=frozenset({"sales.view_*"}))
    hidden = scope.masked(plain, "sales.sales_order", ["number", "margin"], ["margin"])
    assert scope.mask_row({"number": "SO-1", "margin": "3"}, hidden) == {
        "number": "SO-1",
        "margin": None,
        "masked": ["margin"],
    }
    seer = Actor(id=None, name="b", rights=frozenset({"*.unmask_*"}))
    assert scope.masked(seer, "sales.sales_order", ["number", "margin"], ["margin"]) == frozenset()
    by_role = Actor(id=None, name="c", rights=frozenset({"*"}), masks=frozenset({"*.*.price", "sales.lot.number"}))
    assert scope.masked(by_role, "sales.sales_order_line", ["number", "price"]) == {"price"}
    assert scope.mask_row({"number": 1}, frozenset()) == {"number": 1}


# -- as owner ---------------------------------------------------------------------------------------------------------

Opener = Callable[[str], psycopg.Connection[Any]]


@pytest.fixture
def opened(test_ground: Any, django_db_setup: None) -> Iterator[Opener]:
    """Connections of other roles to a clone of its own."""
    name = test_ground.clone()
    made: list[psycopg.Connection[Any]] = []

    def open_as(who: str) -> psycopg.Connection[Any]:
        made.append(psycopg.connect(test_ground.cluster.url(name, who), autocommit=True))
        return made[-1]

    yield open_as
    for each in made:
        each.close()
    test_ground.drop(name)


def test_not_even_the_owner_edits_the_past_but_in_maintenance(opened: Opener) -> None:
    owner = opened(OWNER)
    owner.execute(
        "INSERT INTO foundation_order"
        " (id, command, actor_kind, actor_name, at, recorded_at, why, cause_kind, body, answer, changes, touched)"
        " VALUES (gen_random_uuid(), 'x.y', 'system', 's', now(), now(), '', '', '{}', '{}', '[]', '{}')"
    )
    for statement in (
        "UPDATE foundation_order SET why = 'x'",
        "DELETE FROM foundation_order",
        "TRUNCATE foundation_order",
    ):
        with pytest.raises(psycopg.Error, match="append-only"):
            owner.execute(sql.SQL(statement))  # type: ignore[arg-type]
    with owner.transaction():
        owner.execute("SELECT set_config('lianzao.maintenance', 'on', true)")
        assert owner.execute("DELETE FROM foundation_order").rowcount == 1
    with pytest.raises(psycopg.Error, match="permission denied"):
        application = opened(APPLICATION)
        application.execute("SELECT set_config('lianzao.maintenance', 'on', false)")
        application.execute("DELETE FROM foundation_order")


def test_the_report_login_reads_its_sites_and_writes_nothing(opened: Opener) -> None:
    ids = [uuid7(), uuid7()]
    owner, report = opened(OWNER), opened(REPORT)
    for id, code in zip(ids, ("SZ", "WH"), strict=True):
        owner.execute(
            "INSERT INTO access_site (id, version, created_at, updated_at, owner_system, code, name, name_en,"
            " retired_why, search_terms, time_zone, currency)"
            " VALUES (%s, 1, now(), now(), 'x', %s, 'x', '', '', '{}', 'UTC', 'CNY')",
            [id, code],
        )

    def seen(sites: str | None) -> set[str]:
        with report.transaction():
            if sites is not None:
                report.execute("SELECT set_config('lianzao.sites', %s, true)", [sites])
            return {row[0] for row in report.execute("SELECT code FROM access_site").fetchall()}

    assert seen(None) == set()
    assert seen(str(ids[0])) == {"SZ"}
    assert seen("*") == {"SZ", "WH"}
    assert seen(None) == set()  # afterwards the setting is '', not unset
    for statement in (
        "DELETE FROM access_site",
        "SELECT password FROM access_credential",
        "SELECT digest FROM access_token",
    ):
        with pytest.raises(psycopg.Error, match=r"permission denied|read-only"):
            report.execute(statement)  # type: ignore[arg-type]


def test_the_application_cannot_become_owner_nor_switch_the_wall_off(opened: Opener) -> None:
    application = opened(APPLICATION)
    for statement in (
        f"SET ROLE {OWNER}",
        f"SET ROLE {REPORT}",
        "ALTER TABLE parties_party DISABLE ROW LEVEL SECURITY",
        "DROP POLICY lianzao_partner_rows ON parties_party",
        "ALTER TABLE foundation_order DISABLE TRIGGER ALL",
    ):
        with pytest.raises(psycopg.Error):
            application.execute(statement)  # type: ignore[arg-type]
    application.execute(f"GRANT DELETE ON foundation_order TO {APPLICATION}")  # a warning: nothing was granted
    with pytest.raises(psycopg.Error, match="permission denied"):
        application.execute("DELETE FROM foundation_order")


def test_doctor_sees_a_wall_that_was_damaged(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "problems", list)  # of the database only
    owner = opened(OWNER)
    assert rowsecurity.problems(_Borrowed(owner)) == []
    owner.execute("ALTER TABLE parties_party DISABLE ROW LEVEL SECURITY")
    owner.execute(f"GRANT DELETE ON foundation_order TO {APPLICATION}")
    owner.execute("DROP TRIGGER foundation_order_no_truncate ON foundation_order")
    found = rowsecurity.problems(_Borrowed(owner))
    assert any("parties_party has no row security" in each for each in found)
    assert any("may change foundation_order" in each for each in found)
    assert any("foundation_order has no append-only guard" in each for each in found)


class _Borrowed:
    """Django's way of asking for a cursor, on a plain psycopg connection."""

    def __init__(self, plain: psycopg.Connection[Any]) -> None:
        self.plain = plain
        self.alias = "default"
        self.pg_version = plain.info.server_version

    def cursor(self) -> Any:
        return self.plain.cursor()
