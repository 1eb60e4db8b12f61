"""Every command runs somewhere: generic ones here for all kinds, and small set-ups for what no story needs.

What each costs and whether it is audited is watched in every test (tests/recorder.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.db import models

from lianzao.access import commands as access
from lianzao.access.models import Person, Role
from lianzao.engineering import commands as engineering
from lianzao.engineering.models import Bom, Routing
from lianzao.equipment import commands as equipment
from lianzao.flows.seen import note_seen
from lianzao.foundation import audit, outbox, registry
from lianzao.foundation.command import run
from lianzao.foundation.commands import retry_deliveries
from lianzao.foundation.entity import Approvable, Entity
from lianzao.foundation.hearing import kinds_by_entity, topics_of
from lianzao.foundation.resource import Resource
from lianzao.inventory import commands as inventory
from lianzao.inventory.models import PickTask
from lianzao.planning import commands as planning
from lianzao.planning.models import Proposal
from lianzao.procurement import commands as procurement
from lianzao.procurement.models import PurchaseOrderLine, ScheduleLine
from lianzao.production import commands as production
from lianzao.production.models import WorkOrder, WorkOrderOperation
from lianzao.sales import commands as sales
from lianzao.sales.models import PromiseChange
from lianzao.values.errors import Conflict
from tests.contract.test_exchange import WRITABLE, furnish
from tests.recorder import PINNED, PINNING
from tests.world import House, day, house

__all__ = ["house"]

D = Decimal
APPROVABLE = [each for each in registry.RESOURCES.values() if issubclass(each.model, Approvable)]


def another(resource: Resource, record: Entity) -> tuple[str, Any]:
    """A column of a record and another value for it."""
    for name in ("name_en", "note", "reason", "serial_number", "role", "pattern", "next_serial", "lead_time_days"):
        if name in resource.writable_names:
            now = getattr(record, name)
            return name, now + 1 if isinstance(now, int) else f"{now}-2"
    for name in resource.writable_names:
        field = resource.field(name)
        if isinstance(field, models.DecimalField):
            return name, str((getattr(record, name) or D(1)) * 2)
        if isinstance(field, models.CharField) and not field.choices:
            return name, f"{getattr(record, name)}2"
    raise AssertionError(f"{resource.kind}: say here which column of it can be changed freely")


def told_changed(id: Any) -> list[str]:
    """What was told of a record by the generic commands: its kind, once for each time."""
    rows = outbox.EventRow.objects.filter(name="foundation.RecordChanged", payload__record_id=str(id))
    return [row.payload["kind"] for row in rows]


def topics_told(order_id: Any) -> set[str]:
    """The live topics of all an order told."""
    kinds, rows = kinds_by_entity(), outbox.EventRow.objects.filter(order_id=order_id)
    return {topic for row in rows for topic in topics_of(row.name, row.payload, kinds)}


def generic(verb: str, resource: Resource) -> str | None:
    """The key of a generic command of a kind, unless the room wrote its own."""
    made = registry.COMMANDS.get(f"{resource.room}.{verb}_{resource.entity}")
    return made.key if made is not None and made.function.__module__ == "lianzao.foundation.resource" else None


def records_of(resource: Resource) -> list[Any]:
    return list(resource.model._default_manager.all())


def open_all(house: House) -> None:
    """Take back every approval, so that everything can be changed."""
    for resource in APPROVABLE:
        for record in records_of(resource):
            if record.approved_at is not None:
                run(house.system, f"{resource.room}.unapprove_{resource.entity}", {resource.entity: record.id})


def test_every_kind_is_changed_and_retired_and_told(house: House) -> None:
    furnish(house)
    open_all(house)
    for resource in WRITABLE.values():
        record, key = records_of(resource)[-1], generic("change", resource)
        if key is None:
            continue
        name, value = another(resource, record)
        before = len(told_changed(record.id))
        run(house.system, key, {resource.entity: record.id, name: value})
        changed = type(record)._default_manager.get(pk=record.id)
        assert getattr(changed, name) == resource.field(name).to_python(value), resource.kind
        assert changed.version == record.version + 1, resource.kind
        assert audit.history(record.id, 1)[0].command == key
        assert told_changed(record.id)[before:] == [resource.kind]
    for resource in WRITABLE.values():
        record, key = records_of(resource)[-1], generic("retire", resource)
        if key is None:
            continue
        before = len(told_changed(record.id))
        run(house.system, key, {resource.entity: record.id, "reason": "no longer"})
        gone: Any = type(record)._default_manager.get(pk=record.id)
        assert gone.retired_at is not None and gone.retired_why == "no longer", resource.kind
        assert told_changed(record.id)[before:] == [resource.kind]
        with pytest.raises(Conflict, match="already_retired"):
            run(house.system, key, {resource.entity: record.id})


def to_approve(house: House) -> dict[str, Entity]:
    """One record of every kind that can be approved, not approved."""
    wish = procurement.raise_requisition(
        house.system, item=house.item("SCREW"), quantity=D(100), needed_on=day(20), supplier=house.party("BOLT")
    )
    procurement.approve_requisition(house.system, requisition=wish)
    open_all(house)
    return {
        "engineering.bom": Bom.objects.all()[0],
        "engineering.routing": Routing.objects.all()[0],
        "procurement.purchase_order": procurement.order_requisitions(house.system, requisitions=[wish]),
    }


def test_what_can_be_approved_is_approved_once_fixed_then_and_opened_once(house: House) -> None:
    given = to_approve(house)
    assert set(given) == {each.kind for each in APPROVABLE}, "add the new kind to to_approve()"
    for resource in APPROVABLE:
        model, id, entity = resource.model, given[resource.kind].id, resource.entity
        approve, unapprove = f"{resource.room}.approve_{entity}", f"{resource.room}.unapprove_{entity}"
        with pytest.raises(Conflict, match="not_approved"):
            run(house.system, unapprove, {entity: id})
        run(house.system, approve, {entity: id})
        record: Any = model._default_manager.get(pk=id)
        assert (record.approved_at, record.approved_by) == (house.system.now, house.system.id), resource.kind
        with pytest.raises(Conflict, match="already_approved"):
            run(house.system, approve, {entity: id})
        if resource.writable:
            name, value = another(resource, record)
            with pytest.raises(Conflict, match="approved_is_fixed"):
                run(house.system, f"{resource.room}.change_{entity}", {entity: id, name: value})
        run(house.system, unapprove, {entity: id})
        record = model._default_manager.get(pk=id)
        assert (record.approved_at, record.approved_by) == (None, None), resource.kind
        orders = audit.history(id, 2)
        assert [each.command for each in orders] == [unapprove, approve]
        for order in orders:  # a list of this kind hears of it, whichever event the room chose
            assert f"kind:{resource.kind}" in topics_told(order.id), order.command


# -- what no story needs ----------------------------------------------------------------------------------------------


def test_people_come_back_and_roles_go(house: House) -> None:
    by, person = house.system, Person.objects.get(login="buyer")
    access.change_person(by, person=person, name_en="Buyer")
    access.end_sessions(by, person=person)
    access.retire_person(by, person=person)
    access.restore_person(by, person=person)
    person.refresh_from_db()
    assert (person.name_en, person.retired_at) == ("Buyer", None)
    role = Role.objects.get(code="buyer")
    access.retire_role(by, role=role, reason="test")
    assert not house.by("buyer").may("procurement.send_order")

    station = access.register_station(by, code="T1", name="终端", site=house.site)
    access.change_station(by, station=station, name_en="Terminal", work_center_id=house.center("CUT").id)
    station.refresh_from_db()
    assert (station.name_en, station.work_center_id) == ("Terminal", house.center("CUT").id)

    access.set_password(by, person=person, password="齿轮 转得 很 平稳 呀")
    access.set_badge(by, person=person, badge="BADGE-0001", pin="8052")
    access.set_own_pin(house.by("buyer"), password="齿轮 转得 很 平稳 呀", new_pin="7316")


def test_a_routing_is_copied_changed_and_approved_with_others(house: House) -> None:
    by, routing = house.system, Routing.objects.get(item__code="PUMP")
    until = engineering.copy_routing(by, routing=routing, revision="B")
    assert until.operations.count() == 3 and until.approved_at is None
    line = engineering.OperationLine(sequence=10, name="新工序", work_center=house.center("CUT"), run_minutes=D(1))
    engineering.set_routing_operations(by, routing=until, operations=[line])
    assert until.operations.count() == 1
    open_all(house)
    engineering.approve_boms(by, boms=list(Bom.objects.all()))
    engineering.approve_routings(by, routings=list(Routing.objects.filter(revision="A")))
    assert not Bom.objects.filter(approved_at=None).exists()
    bom = engineering.enter_bom(by, item=house.item("BODY"), revision="Z", lines=[])
    run(
        by,
        "engineering.create_bom_line",
        {"bom": bom.id, "position": 10, "component": house.item("SCREW").id, "quantity_per": "2"},
    )
    operation = {"routing": until.id, "sequence": 20, "name": "检验", "work_center": house.center("TEST").id}
    run(by, "engineering.create_routing_operation", operation)
    assert until.operations.count() == 2
    run(by, "engineering.create_routing", {"item": house.item("BODY").id, "revision": "Z"})


def test_a_machine_is_set_up_and_idle(house: House) -> None:
    machine = house.machine("CUT-1")
    equipment.set_up_machine(house.system, machine=machine)
    house.advance(minutes=10)
    assert equipment.idle_machine(house.system, machine=machine).state == "idle"


def test_work_orders_are_firmed_timed_seen_and_their_picks_called_off(house: House) -> None:
    by = house.system
    house.opening("STEEL", "500", lot="S-0")
    house.opening("SCREW", "1000")
    house.opening("MOTOR", "200", lot="M-0")
    house.order("ACME", "10", day(20))
    first = Proposal.objects.filter(status="open", kind_of_order="make", item__code="BODY").get()
    planning.reject_proposal(by, proposal=first, why="test")
    first.refresh_from_db()
    assert first.status == "rejected"
    order = production.create_work_order(by, item=house.item("BODY"), quantity=D(10), site=house.site, due_at=by.now)
    production.firm_work_order(by, work_order=order)
    production.unfirm_work_order(by, work_order=order)
    operation = WorkOrderOperation.objects.filter(work_order=order).first()
    assert operation is not None
    when = production.OperationTime(operation.id, by.now, by.now)
    assert production.schedule_operations(by, site_id=house.site_id, times=[when]) == 1
    production.release_work_order(by, work_order=order)
    house.settle()
    note_seen(by, work_orders=[WorkOrder.objects.get(pk=order.id)])
    for task in PickTask.objects.filter(status="open"):
        inventory.void_pick_task(by, task=task, reason="test")
    assert not PickTask.objects.filter(status="open").exists()
    inventory.cover_all_pending(by, site_id=house.site_id)
    production.close_work_order(by, work_order=order, reason="test")
    production.reopen_work_order(by, work_order=order)
    order.refresh_from_db()
    assert order.status != "closed"


def test_what_was_bought_is_cancelled_line_by_line(house: House) -> None:
    by = house.system
    wishes = []
    for on in (20, 25):
        wish = procurement.raise_requisition(
            by, item=house.item("SCREW"), quantity=D(100), needed_on=day(on), supplier=house.party("BOLT")
        )
        procurement.approve_requisition(by, requisition=wish)
        wishes.append(wish)
    procurement.unapprove_requisition(by, requisition=wishes[0])
    procurement.approve_requisition(by, requisition=wishes[0])
    order = procurement.order_requisitions(by, requisitions=wishes)
    first = ScheduleLine.objects.filter(line__order=order).order_by("required_on")[0]
    procurement.cancel_schedule_line(by, schedule_line=first, why="test")
    procurement.cancel_line(by, line=PurchaseOrderLine.objects.get(order=order), why="test")
    assert not ScheduleLine.objects.filter(line__order=order).exclude(status="cancelled").exists()


def test_an_offer_is_told_and_an_order_cancelled(house: House) -> None:
    by, order = house.system, house.order("ACME", "10", day(25))
    offer = sales.offer_new_promise(by, line=house.line(order), new_on=day(27))
    sales.mark_promise_told(by, promise=offer)
    assert PromiseChange.objects.get(pk=offer.id).told_at is not None
    sales.cancel_order(by, order=order, why="test")
    order.refresh_from_db()
    assert order.status == "cancelled"


def test_deliveries_are_tried_again(house: House) -> None:
    assert retry_deliveries(house.system, deliveries=[]) == {"retried": 0}


# -- the list ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(PINNING, reason="the list is being written")
def test_every_command_is_pinned_or_named_with_a_reason() -> None:
    """A command no test runs is not known to work. Run the new test with LIANZAO_TEST_PIN=1, or say why not."""
    said = json.loads(PINNED.read_text("utf-8"))
    ours = {key for key in registry.COMMANDS if key.partition(".")[0] in registry.rooms()}
    pinned, never = set(said["commands"]), said["never"]
    assert sorted(ours - pinned - set(never)) == [], "run in no test"
    assert sorted((pinned | set(never)) - ours) == [], "no longer there"
    assert len(never) <= 5 and all(len(why) > 10 for why in never.values())
