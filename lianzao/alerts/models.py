"""Watches, the alerts they raise, and the notices that people get of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models

from lianzao.access.models import Person
from lianzao.access.queries import unknown_people, unknown_roles
from lianzao.alerts import rules
from lianzao.foundation import audit, packing
from lianzao.foundation.entity import ChoiceField, Document, Lifecycle, Master, Part, SiteField, StatusField
from lianzao.foundation.facts import Fact, every_event, facts_of
from lianzao.foundation.interest import Interest
from lianzao.values.errors import Invalid


class Severity(models.TextChoices):
    """How much it matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Channel(models.TextChoices):
    """The ways to tell a person."""

    INBOX = "inbox"


#: Which events any watch looks at. A watch that is saved counts at once in this process.
WANTED = Interest(
    "SELECT event FROM alerts_watch WHERE active AND retired_at IS NULL"
    " UNION SELECT unnest(resolved_by) FROM alerts_watch WHERE active AND retired_at IS NULL"
)
ALERT = Lifecycle("open", open=["taken", "done", "expired"], taken=["done", "expired"])


class Watch(Master):
    """Which news raises an alert, under which condition, for whom, in which words, and who hears next.

    `key_fields` say what makes two events the same matter: it has one open alert at most. News in `resolved_by` with
    the same key closes it; its own event in there does so when it does not fit the condition any more. `ladder` is
    [{"after_minutes", "roles", "persons"}]; `due_minutes` is its owner's clock. Quiet hours (the site's time) keep it
    from ringing, never from being raised; critical alerts know no quiet hours.
    """

    event = models.CharField(max_length=120)
    condition = models.JSONField(default=dict, blank=True)
    severity = ChoiceField(Severity, default=Severity.WARNING)
    roles = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    persons = ArrayField(models.UUIDField(), default=list, blank=True)
    to_partners = models.BooleanField(default=False)
    title = models.CharField(max_length=200)
    title_en = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    body_en = models.TextField(blank=True)
    key_fields = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    subject_field = models.CharField(max_length=60, blank=True)
    resolved_by = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    ladder = models.JSONField(default=list, blank=True)
    due_minutes = models.PositiveIntegerField(null=True, blank=True)
    expire_hours = models.PositiveIntegerField(default=168)
    quiet_minutes = models.PositiveIntegerField(default=0)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    site_id = SiteField(null=True, blank=True)
    active = models.BooleanField(default=True)

    def before_save(self) -> None:
        """Keep the search terms, and hear of other events from this order on."""
        super().before_save()
        audit.must_run().before_end.append(WANTED.forget)

    def check_row(self) -> None:
        """Refuse what would fail when it matters. Raises Invalid naming the field."""
        facts = check_event(self.event, "event")
        rules.read_condition(self.condition, facts)
        self._check_keys(facts)
        known = sentence_names(facts)
        for name in ("title", "title_en", "body", "body_en"):
            rules.check_sentence(getattr(self, name), known, name)
        self._check_recipients(facts)
        for name, least, most in (("expire_hours", 1, 24 * 365), ("quiet_minutes", 0, rules.LONGEST_MINUTES)):
            if not least <= getattr(self, name) <= most:
                raise Invalid("too_small" if getattr(self, name) < least else "too_large", field=name)
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise Invalid("field_missing", field="quiet_from" if self.quiet_from is None else "quiet_until")

    def _check_keys(self, facts: dict[str, Fact]) -> None:
        if len(self.key_fields) > rules.MOST_KEY_FIELDS:
            raise Invalid("too_many", field="key_fields")
        for name in self.key_fields:
            if name not in facts or facts[name].many:
                raise Invalid("unknown_fact", field="key_fields", fact=name)
        if self.subject_field and (self.subject_field not in facts or not facts[self.subject_field].reference):
            raise Invalid("unknown_fact", field="subject_field", fact=self.subject_field)
        if self.resolved_by and not self.key_fields:
            raise Invalid("field_missing", field="key_fields")
        for event in self.resolved_by:
            there = check_event(event, "resolved_by")
            for name in self.key_fields:
                if name not in there or there[name].many:
                    raise Invalid("unknown_fact", field="resolved_by", fact=f"{event}.{name}")

    def _check_recipients(self, facts: dict[str, Fact]) -> None:
        ladder = rules.read_ladder(self.ladder)
        if self.to_partners and "partner_ids" not in facts:
            raise Invalid("no_partners_in_event", field="to_partners", event=self.event)
        if not self.roles and not self.persons and not self.to_partners:
            raise Invalid("nobody_to_tell", field="roles")
        roles = {*self.roles, *(role for rung in ladder for role in rung.roles)}
        persons = {*self.persons, *(person for rung in ladder for person in rung.persons)}
        for role in sorted(unknown_roles(roles)):
            raise Invalid("no_such_record", field="roles", value=role)
        for person in sorted(unknown_people(persons)):
            raise Invalid("no_such_record", field="persons", value=str(person))


def check_event(name: str, field: str) -> dict[str, Fact]:
    """The fields of an event by its wire name. Raises Invalid when there is none, or it is one of our own."""
    found = every_event().get(name)
    if found is None or name.startswith("alerts."):
        raise Invalid("no_such_event", field=field, event=name)
    return dict(facts_of(found))


def sentence_names(facts: dict[str, Fact]) -> set[str]:
    """What a sentence may speak of: every field, and every record an id means, by the id's name without `_id`."""
    return {*facts, *(fact.reference for fact in facts.values() if fact.reference)}


class Alert(Document):
    """One thing somebody must take care of. It has no owner while it is open and exactly one from then on.

    The words are those of the moment it was raised (or happened last); `starts_at` is when people were told, later
    than `raised_at` if that fell into quiet hours. Both and `due_at` are the plant's clock.
    """

    NUMBER = "AL-{yy}{mm}-{seq:5}"

    site_id = SiteField(null=True)
    watch = models.ForeignKey(Watch, models.PROTECT, related_name="+")
    severity = ChoiceField(Severity)
    status = StatusField(ALERT)
    key = models.CharField(max_length=200)
    title = models.CharField(max_length=400)
    title_en = models.CharField(max_length=400)
    body = models.TextField(blank=True)
    body_en = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    event = models.CharField(max_length=120)
    event_id = models.UUIDField()
    cause_order_id = models.UUIDField(null=True)
    subject_kind = models.CharField(max_length=80, blank=True)
    subject_id = models.UUIDField(null=True)
    raised_at = models.DateTimeField()
    starts_at = models.DateTimeField()
    last_at = models.DateTimeField()
    repeats = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    step = models.PositiveSmallIntegerField(default=0)
    next_step_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    owner = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    taken_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.UUIDField(null=True)
    note = models.TextField(blank=True)

    owner_id: UUID | None
    watch_id: UUID
    notices: models.Manager[Notice]

    class Meta(Document.Meta):
        indexes = [
            models.Index(
                fields=["next_step_at"], name="alert_to_escalate", condition=models.Q(next_step_at__isnull=False)
            ),
            models.Index(fields=["status", "site_id"], name="alert_by_status"),
            models.Index(fields=["subject_id"], name="alert_by_subject"),
            models.Index(fields=["watch", "key", "closed_at"], name="alert_by_key"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["watch", "key"], name="alert_once", condition=models.Q(status__in=["open", "taken"])
            ),
            models.CheckConstraint(
                condition=~models.Q(status="taken") | models.Q(owner__isnull=False), name="alert_taken_has_owner"
            ),
        ]


class Notice(Part):
    """That one person is to know of an alert. `told_at` is empty until quiet hours are over."""

    locks = False

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="notices")
    person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    site_id = SiteField(null=True)
    channel = ChoiceField(Channel, default=Channel.INBOX)
    step = models.PositiveSmallIntegerField(default=0)
    told_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)

    alert_id: UUID
    person_id: UUID

    class Meta(Part.Meta):
        constraints = [models.UniqueConstraint(fields=["alert", "person", "channel"], name="notice_once")]
        indexes = [
            models.Index(fields=["person", "read_at"], name="notice_by_person"),
            models.Index(fields=["told_at"], name="notice_to_tell", condition=models.Q(told_at__isnull=True)),
        ]


def plain(value: Any) -> Any:
    """A value as a JSON column can hold it."""
    return packing.loads(packing.text(value))
