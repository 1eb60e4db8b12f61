"""What administrators do to the machinery."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from lianzao.foundation import outbox
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.values.errors import Conflict, Invalid, NotFound

DELIVERY = "foundation.delivery"


@command(subject=DELIVERY, when={"status": ("parked",)})
def retry_delivery(by: Actor, *, delivery_id: UUID) -> dict[str, int]:
    """Put a parked delivery back into the queue, after its cause was mended.

    It has all its tries again. Raises Conflict("wrong_status") when it is not parked.
    """
    _all_moved(outbox.retry_parked([delivery_id]), delivery_id, "pending")
    return {"retried": 1}


@command(subject=DELIVERY, when={"status": ("parked",)})
def drop_delivery(by: Actor, *, delivery_id: UUID, reason: str) -> dict[str, int]:
    """Give a parked delivery up: what it should have caused will not happen by itself.

    The reason stays in the audit, the delivery as dropped. Raises Conflict("wrong_status") when it is not parked.
    """
    _with_reason(reason)
    _all_moved(outbox.drop_parked([delivery_id]), delivery_id, "dropped")
    return {"dropped": 1}


@command(hidden=True)
def retry_deliveries(by: Actor, *, deliveries: list[UUID]) -> dict[str, int]:
    """Put parked deliveries back into the queue, after their cause was mended; those not parked are left alone."""
    return {"retried": len(outbox.retry_parked(deliveries))}


@command(hidden=True)
def drop_deliveries(by: Actor, *, deliveries: list[UUID], reason: str) -> dict[str, int]:
    """Give parked deliveries up, for a reason that stays in the audit; those not parked are left alone."""
    _with_reason(reason)
    return {"dropped": len(outbox.drop_parked(deliveries))}


def _with_reason(reason: str) -> None:
    if not reason.strip():
        raise Invalid("field_missing", field="reason")


def _all_moved(moved: Sequence[UUID], id: UUID, wanted: str) -> None:
    if moved:
        return
    status = outbox.Delivery.objects.filter(id=id).values_list("status", flat=True).first()
    if status is None:
        raise NotFound("not_found", entity=DELIVERY, id=str(id))
    raise Conflict("wrong_status", document=str(id)[:8], status=status, wanted=wanted)
