"""Endpoints, the posts on their way to them, and mappings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models

from lianzao.access.models import Person
from lianzao.foundation import audit
from lianzao.foundation.entity import ChoiceField, Master, Part, SiteField
from lianzao.foundation.interest import Interest
from lianzao.parties.models import Party

#: Which events any endpoint asked for. An endpoint that is saved counts at once in this process.
WANTED = Interest(
    "SELECT unnest(events) FROM integration_endpoint WHERE retired_at IS NULL UNION SELECT 'integration.EndpointTested'"
)


class Endpoint(Master):
    """An address of another system that gets the events it asked for, signed.

    Its secret is derived from the installation's key and `generation`; no column holds it. `old_until`: until then the
    generation before is signed with as well. With `partner` it gets only events that list that partner, ids only.
    `failures` in a row and `resting_until` are kept by the sender.
    """

    locks = True

    url = models.CharField(max_length=500)
    events = ArrayField(models.CharField(max_length=120))
    partner = models.ForeignKey(Party, models.PROTECT, null=True, blank=True, related_name="+")
    owner = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    site_id = SiteField(null=True, blank=True)
    active = models.BooleanField(default=True)
    paused_why = models.CharField(max_length=200, blank=True)
    allowed_networks = ArrayField(models.CharField(max_length=43), default=list)
    generation = models.PositiveIntegerField(default=1)
    key_mark = models.CharField(max_length=16, blank=True)
    old_until = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    resting_until = models.DateTimeField(null=True)

    def before_save(self) -> None:
        """Keep the search terms, and write posts of other events from this order on."""
        super().before_save()
        audit.must_run().before_end.append(WANTED.forget)

    partner_id: UUID | None
    owner_id: UUID | None


class PostStatus(models.TextChoices):
    """Where a post is."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    PARKED = "parked"
    VOID = "void"


class Post(Part):
    """One event on its way to one endpoint, and how the last try went. Times are the machine's: receivers are real.

    `leased_until`: a sender has it in hand until then; a sender that died gives it back by that.
    """

    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="posts")
    event_id = models.UUIDField()
    event = models.CharField(max_length=120)
    site_id = SiteField(null=True)
    status = ChoiceField(PostStatus, default=PostStatus.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    http_status = models.PositiveSmallIntegerField(null=True)
    error = models.TextField(blank=True)
    milliseconds = models.PositiveIntegerField(null=True)
    next_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)

    endpoint_id: UUID

    class Meta(Part.Meta):
        constraints = [models.UniqueConstraint(fields=["endpoint", "event_id"], name="post_once")]
        indexes = [
            models.Index(
                fields=["endpoint", "next_at"],
                name="post_to_send",
                condition=models.Q(status__in=["waiting", "sending"]),
            ),
            models.Index(fields=["status", "-created_at"], name="post_by_status"),
        ]


class Mapping(Master):
    """How the columns of a foreign file become the fields of one kind, as data (see foundation.transfer.mapping)."""

    kind_name = models.CharField(max_length=80)
    mapping: Any = models.JSONField(default=dict)
