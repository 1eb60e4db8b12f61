"""The tables of the machinery."""

from lianzao.foundation.audit import Order
from lianzao.foundation.clock import VirtualClock
from lianzao.foundation.entity import ExternalId
from lianzao.foundation.jobs import JobState
from lianzao.foundation.link import Link
from lianzao.foundation.numbering import CodeRule
from lianzao.foundation.outbox import Delivery, EventRow
from lianzao.foundation.printing.models import PrintLayout
from lianzao.foundation.tasks import Task

__all__ = [
    "CodeRule", "Delivery", "EventRow", "ExternalId", "JobState", "Link", "Order", "PrintLayout", "Task",
    "VirtualClock",
]  # fmt: skip
