"""The only writer of quality: open an inspection, record what was measured, decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from lianzao.access.models import Site
from lianzao.catalog.models import Item
from lianzao.foundation import entity, link, scope, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.outbox import publish
from lianzao.inventory import commands as inventory
from lianzao.inventory.commands import MoveLine
from lianzao.inventory.models import Lot
from lianzao.parties.models import Party
from lianzao.plant import queries as plant
from lianzao.plant.models import Location
from lianzao.quality import queries, rules
from lianzao.quality.events import (
    InspectionAccepted,
    InspectionCancelled,
    InspectionHeld,
    InspectionOpened,
    InspectionRejected,
    MeasurementsRecorded,
)
from lianzao.quality.models import Characteristic, Disposition, Inspection, InspectionPlan, Measurement, Point
from lianzao.values.errors import Conflict, Invalid, RuleBroken
from lianzao.values.reference import Ref


@command
def open_inspection(
    by: Actor,
    *,
    item: Item,
    quantity: Decimal,
    point: Point,
    site: Site | None = None,
    lot: Lot | None = None,
    location: Location | None = None,
    supplier: Party | None = None,
    plan: InspectionPlan | None = None,
    source: Ref | None = None,
    operation_sequence: int | None = None,
    hold: bool = False,
    due_at: datetime | None = None,
    note: str = "",
) -> Inspection:
    """Open an inspection of goods; `quantity` in the item's base unit.

    The plan is the item's, else its group's, for that point and operation. `source` is what called for it; the same
    source asks for the same lot only once while the inspection is open. With `hold` the lot is locked until it is
    decided. `location`: where goods without a lot wait in quarantine.
    """
    site_id = by.site if site is None else site.id
    if site_id is None:
        raise Invalid("field_missing", field="site")
    scope.check_site(by, site_id, "site")
    entity.positive(quantity, "quantity")
    if lot is not None and lot.item_id != item.id:
        raise RuleBroken("lot_of_other_item", field="lot", lot=lot.number, item=item.code)
    standing = _standing(source, lot, point)
    if standing is not None:
        return standing
    plan = plan or queries.plan_for(item, point, operation_sequence)
    if hold and lot is not None and lot.status == "usable":
        inventory.hold_lot(by, lot=lot, reason=_to_be_inspected())
    inspection = Inspection(
        item=item,
        lot=lot,
        quantity=quantity,
        point=point,
        plan=plan,
        supplier=supplier,
        location=location if lot is None else None,
        hold_reason=lot.hold_reason if lot is not None and lot.status == "held" else "",
        site_id=site_id,
        source_kind="" if source is None else source.kind,
        source_id=None if source is None else source.id,
        sample_quantity=(
            quantity if plan is None else rules.sample_size(quantity, plan.sample_pieces, plan.sample_percent)
        ),
        due_at=due_at or (by.now + timedelta(minutes=plan.duration_minutes) if plan is not None else None),
        note=note,
    )
    inspection.suggestion = _suggested(inspection).decision
    inspection.save()
    if source is not None:
        link.add(source, inspection, quantity)
    publish(
        InspectionOpened(
            site_id,
            inspection.id,
            inspection.number,
            item.id,
            quantity,
            inspection.point,
            inspection.source_kind,
            inspection.source_id,
            None if lot is None else lot.id,
        )
    )
    return inspection


def _to_be_inspected() -> str:
    return " / ".join(words.say("quality.to_be_inspected", language) for language in words.LANGUAGES)


def _standing(source: Ref | None, lot: Lot | None, point: str) -> Inspection | None:
    """The open inspection the same source asked for already."""
    if source is None:
        return None
    rows = Inspection.objects.filter(source_kind=source.kind, source_id=source.id, point=point, status="open", lot=lot)
    return rows.first()


def _suggested(inspection: Inspection) -> rules.Suggestion:
    """What the measurements say so far."""
    if inspection.plan_id is None or inspection.plan is None:
        return rules.Suggestion(rules.ACCEPT)
    limits = [each.limits() for each in inspection.plan.characteristics.order_by("sequence")]
    rows = inspection.measurements.values_list("characteristic_id", "value", "passed") if inspection.pk else []
    return rules.suggest(limits, [rules.Reading(*row) for row in rows])


@dataclass(frozen=True)
class MeasuredValue:
    """One reading: a value for what has limits, `passed` for what is judged by eye; `sample` counts from 1."""

    characteristic: Characteristic
    value: Decimal | None = None
    passed: bool | None = None
    sample: int = 1
    note: str = ""


@command(when={"status": ("open", "held")})
def record_measurements(by: Actor, *, inspection: Inspection, measurements: list[MeasuredValue]) -> Inspection:
    """Record what was measured. A sample measured again replaces the first reading; the audit keeps both.

    The answer's `suggestion` says what the readings ask for: accept, hold, or incomplete.
    """
    if inspection.status not in ("open", "held"):
        raise Conflict("wrong_status", document=inspection.label, status=inspection.status, wanted="open")
    if not measurements:
        raise Invalid("field_missing", field="measurements")
    kept = {(each.characteristic_id, each.sample): each for each in inspection.measurements.all()}
    fresh: list[Measurement] = []
    for row, said in enumerate(measurements, 1):
        if said.characteristic.plan_id != inspection.plan_id:
            raise RuleBroken(
                "characteristic_of_other_plan", field="characteristic", row=row, name=said.characteristic.name
            )
        if said.sample < 1:
            raise Invalid("too_small", field="sample", row=row)
        passed = rules.judge(said.characteristic.limits(), said.value, said.passed)
        found = kept.get((said.characteristic.id, said.sample))
        if found is None:
            found = Measurement(inspection=inspection, characteristic=said.characteristic, sample=said.sample)
            kept[(said.characteristic.id, said.sample)] = found
            fresh.append(found)
        found.value, found.passed, found.note, found.measured_at = said.value, passed, said.note[:200], by.now
        if found not in fresh:
            found.save()
    entity.insert(fresh)
    suggestion = _suggested(inspection)
    inspection.suggestion = suggestion.decision
    inspection.inspector_id = by.id
    inspection.save()
    publish(
        MeasurementsRecorded(
            inspection.site_id,
            inspection.id,
            inspection.item_id,
            suggestion.decision,
            suggestion.failed,
            inspection.lot_id,
        )
    )
    return inspection


def _decide(by: Actor, inspection: Inspection, status: str, reason: str) -> Lot | None:
    """Write down a decision, and give the lot it is about, locked."""
    inspection.move_to(status)
    inspection.decided_at, inspection.inspector_id, inspection.reason = by.now, by.id, reason[:200]
    return None if inspection.lot_id is None else entity.get(Lot, inspection.lot_id, lock=True)


@command(when={"status": ("open", "held")})
def accept_inspection(
    by: Actor, *, inspection: Inspection, concession: str = "", location: Location | None = None
) -> Inspection:
    """Accept: the goods may be used now. Against the readings, or without all of them, only with a `concession`.

    The lot is released, unless another inspection of it is undecided or it is held for another reason. Goods without a
    lot go from quarantine to `location` (the receiving location when not named).
    """
    suggestion = _suggested(inspection)
    conceded = rules.check_accept(suggestion.decision, suggestion.missing, suggestion.failed, concession)
    lot = _decide(by, inspection, "accepted", concession)
    inspection.concession = conceded
    inspection.save()
    released = _release(by, inspection, lot)
    if lot is None and inspection.location_id is not None:
        _leave_quarantine(by, inspection, location)
        released = True
    publish(
        InspectionAccepted(
            inspection.site_id,
            inspection.id,
            inspection.number,
            inspection.item_id,
            inspection.quantity,
            inspection.point,
            released,
            conceded,
            inspection.source_kind,
            inspection.source_id,
            inspection.lot_id,
        )
    )
    return inspection


def _release(by: Actor, inspection: Inspection, lot: Lot | None) -> bool:
    if lot is None:
        return False
    if lot.status != "held":
        return lot.status == "usable"
    others = Inspection.objects.filter(lot=lot, status__in=("open", "held", "rejected")).exclude(pk=inspection.pk)
    if lot.hold_reason != inspection.hold_reason or others.exists():
        return False
    inventory.release_lot(by, lot=lot)
    return True


def _leave_quarantine(by: Actor, inspection: Inspection, location: Location | None) -> None:
    if location is not None:
        target = location.id
    else:
        found = plant.location_ids(inspection.site_id, ["receiving"])
        if not found:
            raise RuleBroken("no_receiving_location", field="location", item=inspection.item.code)
        target = found[0]
    assert inspection.location_id is not None
    line = MoveLine(inspection.item_id, inspection.quantity, inspection.location_id, target)
    inventory.post_moves(by, moves=[line], cause=inspection.ref)


def _hold(by: Actor, inspection: Inspection, lot: Lot | None, reason: str) -> None:
    """Lock the lot; one that is locked already stays locked for the reason it was."""
    if lot is None:
        return
    if lot.status == "usable":
        inventory.hold_lot(by, lot=lot, reason=reason)
        inspection.hold_reason = lot.hold_reason


@command(when={"status": ("open", "accepted")})
def hold_inspection(by: Actor, *, inspection: Inspection, reason: str) -> Inspection:
    """Hold: the lot is locked until somebody decides. Also for goods that were accepted and turned out wrong."""
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    lot = _decide(by, inspection, "held", reason)
    _hold(by, inspection, lot, reason)
    inspection.save()
    publish(
        InspectionHeld(
            inspection.site_id,
            inspection.id,
            inspection.number,
            inspection.item_id,
            inspection.quantity,
            inspection.point,
            reason,
            inspection.source_kind,
            inspection.source_id,
            inspection.lot_id,
        )
    )
    return inspection


@command(when={"status": ("open", "held")})
def reject_inspection(
    by: Actor, *, inspection: Inspection, reason: str, disposition: Disposition = Disposition.RETURN
) -> Inspection:
    """Reject for good: the lot stays locked until it is sent back, scrapped, reworked or sorted (`disposition`)."""
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    lot = _decide(by, inspection, "rejected", reason)
    inspection.disposition = disposition
    _hold(by, inspection, lot, reason)
    inspection.save()
    publish(
        InspectionRejected(
            inspection.site_id,
            inspection.id,
            inspection.number,
            inspection.item_id,
            inspection.quantity,
            inspection.point,
            reason,
            disposition,
            inspection.source_kind,
            inspection.source_id,
            inspection.lot_id,
        )
    )
    return inspection


@command(when={"status": ("open",)})
def cancel_inspection(by: Actor, *, inspection: Inspection, why: str) -> Inspection:
    """Cancel an inspection nobody needs any more; a lot it held stays held."""
    if not why.strip():
        raise Invalid("field_missing", field="why")
    inspection.move_to("cancelled")
    inspection.reason = why[:200]
    inspection.save()
    publish(InspectionCancelled(inspection.site_id, inspection.id, inspection.item_id, why, inspection.lot_id))
    return inspection
