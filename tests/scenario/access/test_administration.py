"""Who may give what: nobody more than he has, and never the last administrator away."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from lianzao.access import commands, queries
from lianzao.access.models import Assignment, Person, Role, Site
from lianzao.access.roles import SHIPPED
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import run
from lianzao.foundation.transfer import import_file
from lianzao.values.errors import Conflict, DomainError, Invalid, NotAllowed, RuleBroken
from lianzao.values.time import uuid7
from tests.scenario.access.conftest import PASSWORD, SYSTEM, Door


@pytest.fixture
def clerk(door: Door) -> Actor:
    """Somebody who administers people at Suzhou, with some rights of his own."""
    rights = ["access.*", "sales.*", "*.view_*"]
    role = commands.create_role(SYSTEM, code="clerk", name="文员", rights=rights)
    person = door.person("clerk")
    commands.assign_role(SYSTEM, person=person, role=role, site=door.suzhou)
    return door.by("clerk")


def test_shipped_roles_are_made_once_and_follow_unless_changed(door: Door) -> None:
    assert Role.objects.count() == len(SHIPPED)
    assert commands.set_up_roles(SYSTEM) == {"made": 0, "changed": 0}
    planner, buyer = door.role("planner"), door.role("buyer")
    commands.change_role(SYSTEM, role=planner, rights=["planning.*"])
    with connection.cursor() as cursor:  # as if an earlier version had shipped less
        cursor.execute("UPDATE access_role SET rights = '{x.y}', shipped = '{x.y}' WHERE code = 'buyer'")
    assert commands.set_up_roles(SYSTEM) == {"made": 0, "changed": 1}
    planner.refresh_from_db()
    buyer.refresh_from_db()
    assert planner.rights == ["planning.*"]
    assert "procurement.*" in buyer.rights


def test_nobody_gives_a_right_he_has_not(door: Door, clerk: Actor) -> None:
    person = door.person("new")
    with pytest.raises(NotAllowed, match="right_not_held"):
        commands.assign_role(clerk, person=person, role=door.role("planner"), site=door.suzhou)
    with pytest.raises(NotAllowed, match="right_not_held"):
        commands.assign_role(clerk, person=person, role=door.role("administrator"), site=door.suzhou)
    own = Role.objects.get(code="clerk")
    assert commands.assign_role(clerk, person=person, role=own, site=door.suzhou).site_id == door.suzhou.id


def test_nobody_gives_a_site_he_has_not(door: Door, clerk: Actor) -> None:
    person, own = door.person("new"), Role.objects.get(code="clerk")
    with pytest.raises(Invalid, match="foreign_site"):
        commands.assign_role(clerk, person=person, role=own, site=door.wuhan)
    with pytest.raises(NotAllowed, match="needs_every_site"):
        commands.assign_role(clerk, person=person, role=own)


def test_a_role_is_changed_only_by_who_manages_every_site(door: Door, clerk: Actor) -> None:
    with pytest.raises(NotAllowed, match="needs_every_site"):
        commands.create_role(clerk, code="x", name="x", rights=["sales.*"])
    with pytest.raises(NotAllowed):
        commands.change_role(clerk, role=Role.objects.get(code="clerk"), rights=["*"])


def test_nobody_takes_over_somebody_mightier(door: Door, clerk: Actor) -> None:
    root = Person.objects.get(login="root")
    for act in (
        lambda: commands.set_password(clerk, person=root, password="齿轮 转得 很 平稳 呀"),
        lambda: commands.set_badge(clerk, person=root, badge="B-9999", pin="2580"),
        lambda: commands.change_person(clerk, person=root, login="mine"),
        lambda: commands.retire_person(clerk, person=root),
        lambda: commands.end_sessions(clerk, person=root),
        lambda: commands.unlock_person(clerk, person=root),
    ):
        with pytest.raises(NotAllowed):
            act()
    same = door.person("peer")
    commands.assign_role(SYSTEM, person=same, role=Role.objects.get(code="clerk"), site=door.suzhou)
    commands.set_password(clerk, person=same, password="齿轮 转得 很 平稳 呀")
    commands.assign_role(SYSTEM, person=same, role=Role.objects.get(code="clerk"), site=door.wuhan)
    with pytest.raises(Invalid, match="foreign_site"):
        commands.set_password(clerk, person=same, password="齿轮 转得 很 平稳 呀 了")


def test_who_is_shown_less_cannot_show_more(door: Door) -> None:
    hidden = ["sales.sales_order.amount"]
    masked = commands.create_role(SYSTEM, code="masked", name="m", rights=["*"], masks=hidden)
    door.person("half")
    commands.assign_role(SYSTEM, person=Person.objects.get(login="half"), role=masked)
    by = door.by("half")
    assert by.masks == frozenset(hidden)
    with pytest.raises(NotAllowed, match="mask_not_lifted"):
        commands.change_role(by, role=masked, masks=[])
    with pytest.raises(NotAllowed, match="mask_not_lifted"):
        commands.assign_role(by, person=Person.objects.get(login="half"), role=door.role("planner"))


def test_the_last_administrator_stays(door: Door) -> None:
    root, by = Person.objects.get(login="root"), door.by("root")
    only = Assignment.objects.get(person=root)
    for act in (
        lambda: commands.retire_person(by, person=root),
        lambda: commands.remove_assignment(by, assignment=only),
        lambda: commands.change_role(by, role=door.role("administrator"), rights=["*.view_*"]),
        lambda: commands.retire_role(by, role=door.role("administrator")),
    ):
        with pytest.raises(RuleBroken, match="last_administrator"):
            act()
    door.person("second", "administrator")
    commands.retire_person(by, person=root)
    assert queries.administrators() == 1


def test_two_administrators_cannot_remove_each_other_at_once(real_door: Door) -> None:
    real_door.person("second", "administrator")
    people = {person.login: person for person in Person.objects.filter(login__in=["root", "second"])}
    failed: list[str] = []
    ready = threading.Barrier(2)

    def remove(by: Actor, other: Person) -> None:
        ready.wait()
        try:
            commands.retire_person(by, person=other)
        except DomainError as error:
            failed.append(error.code)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=remove, args=(real_door.by("root"), people["second"])),
        threading.Thread(target=remove, args=(real_door.by("second"), people["root"])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == ["last_administrator"]
    assert queries.administrators() == 1


def test_partners_get_partners_roles_only(door: Door) -> None:
    partner = door.person("acme", partner_id=uuid7())
    with pytest.raises(RuleBroken, match="role_not_for_partner"):
        commands.assign_role(SYSTEM, person=partner, role=door.role("planner"))
    commands.assign_role(SYSTEM, person=partner, role=door.role("supplier"))
    by = door.by("acme")
    assert by.kind == "partner" and by.partner == partner.partner_id and by.may("procurement.confirm_schedule")
    with pytest.raises(RuleBroken, match="role_only_for_partner"):
        commands.assign_role(SYSTEM, person=door.person("own"), role=door.role("supplier"))


def test_what_is_taken_is_said_by_name(door: Door) -> None:
    with pytest.raises(Conflict) as taken:
        commands.create_person(SYSTEM, login="ROOT", name="x", password=PASSWORD)
    assert taken.value.field in ("login", "code")
    with pytest.raises(Conflict, match="already_assigned"):
        commands.assign_role(SYSTEM, person=Person.objects.get(login="root"), role=door.role("administrator"))


def test_alerts_find_who_may_act(door: Door) -> None:
    here, there = door.person("zhang", "planner", door.suzhou), door.person("wang", "planner", door.wuhan)
    root = Person.objects.get(login="root")
    assert queries.people_with("planning.accept_proposals", door.suzhou.id) == sorted([here.id, root.id])
    assert set(queries.people_with("planning.accept_proposals")) == {here.id, there.id, root.id}


def test_lists_show_no_secrets(door: Door) -> None:
    commands.set_badge(SYSTEM, person=Person.objects.get(login="root"), badge="BADGE-1", pin="2580")
    browser = door.log_in("root")
    for path in ("access/person", "access/token", "access/station", "access/role", "access/assignment"):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        for secret in ("argon2", "digest", '"shipped"', '"pin', "BADGE"):
            assert secret not in answer.content.decode(), (path, secret)
    id = str(Person.objects.get(login="root").id)
    detail = browser.get(f"access/person/{id}").json()
    assert [part["role"]["code"] for part in detail["parts"]["assignments"]] == ["administrator"]
    assert "access.set_password" in detail["actions"]


def test_a_person_sees_the_assignments_of_his_sites_only(door: Door, clerk: Actor) -> None:
    door.person("wang", "planner", door.wuhan)
    browser = door.log_in("clerk")
    rows = browser.get("access/assignment").json()["rows"]
    assert {(row["person"]["code"], row["site"] and row["site"]["code"]) for row in rows} == {
        ("clerk", "SZ"),
        ("root", None),
    }
    assert [row["code"] for row in browser.get("access/site").json()["rows"]] == ["SZ"]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "GMT+8", "../../etc/passwd", "asia/shanghai"])
def test_a_site_lies_in_a_zone_of_the_list(door: Door, zone: str) -> None:
    """Days, shifts and plans are reckoned in it: nonsense would fail much later, far from whoever typed it."""
    with pytest.raises(Invalid, match="time_zone_unknown") as refused:
        run(SYSTEM, "access.create_site", {"code": "X", "name": "X", "time_zone": zone})
    assert refused.value.field == "time_zone"
    with pytest.raises(Invalid, match="time_zone_unknown"):
        run(SYSTEM, "access.change_site", {"site": str(door.suzhou.id), "time_zone": zone})
    told = import_file(SYSTEM, kind="access.site", data=f"code,name,time_zone\nX,X,{zone}\n".encode(), dry_run=False)
    assert [(each.row, each.field, each.code) for each in told.errors] == [(2, "time_zone", "time_zone_unknown")]
    assert not Site.objects.filter(code="X").exists()
