"""What administrators do to the machinery."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from lianzao.foundation import outbox, printing
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import command
from lianzao.foundation.printing import template
from lianzao.foundation.printing.models import PrintLayout
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


@command(hidden=True)
def write_print_layout(by: Actor, *, paper: str, text: str) -> PrintLayout:
    """Give a paper another layout: HTML with names in braces, which is checked to be harmless before it is kept.

    What it was before stays in the audit. Raises Invalid("layout_wrong" | "layout_forbidden") naming the line.
    """
    made = printing.of(paper)
    if not text.strip():
        raise Invalid("field_missing", field="text")
    template.parsed(text)
    layout = PrintLayout.objects.select_for_update().filter(paper=made.name).first() or PrintLayout(paper=made.name)
    layout.text = text
    layout.save()
    return layout


@command(hidden=True)
def reset_print_layout(by: Actor, *, paper: str) -> PrintLayout:
    """Let a paper look as it was shipped again. The layout it had stays in the audit."""
    layout = PrintLayout.objects.select_for_update().filter(paper=printing.of(paper).name).first()
    if layout is None or not layout.text:
        raise Conflict("layout_is_shipped", paper=paper)
    layout.text = ""
    layout.save()
    return layout
