"""Sites, people, roles, assignments, stations, tokens; and beside them, unaudited, what only the door itself reads."""

from __future__ import annotations

from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models

from lianzao.foundation.entity import ChoiceField, Document, Entity, Lifecycle, Master, Part, StatusField
from lianzao.values.errors import Invalid
from lianzao.values.time import is_zone, uuid7


class Site(Master):
    """A plant: its zone decides days and shifts, its currency the costs."""

    time_zone = models.CharField(max_length=60, default="Asia/Shanghai")
    currency = models.CharField(max_length=3, default="CNY", validators=[RegexValidator(r"^[A-Z]{3}$")])

    def check_row(self) -> None:
        """Days and shifts are reckoned in the zone, so it must be one. Raises Invalid."""
        if not is_zone(self.time_zone):
            raise Invalid("time_zone_unknown", field="time_zone", time_zone=self.time_zone)


class Audience(models.TextChoices):
    """Whom a role is for: our own people, or those of a partner, who see their own papers only."""

    OWN = "own"
    PARTNER = "partner"


class Language(models.TextChoices):
    """The languages of screens and messages."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


class Theme(models.TextChoices):
    """Light or dark screens, or as the device says."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class WallTheme(models.TextChoices):
    """Dark walls in halls, light ones in bright rooms."""

    DARK = "dark"
    LIGHT = "light"


class Role(Master):
    """A named set of rights. `home` is the page its people start on; `masks` the columns it hides.

    `shipped` holds the rights we shipped last: a role nobody changed follows the product's next version.
    """

    locks = True

    audience = ChoiceField(Audience, default=Audience.OWN)
    home = models.CharField(max_length=40, blank=True)
    rights = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    masks = ArrayField(models.CharField(max_length=160), default=list, blank=True)
    shipped = ArrayField(models.CharField(max_length=120), default=list, editable=False)


class Person(Master):
    """Somebody who may log in. `partner_id` makes him a partner's person: he sees that party's own papers only."""

    locks = True
    REFERENCES = {"partner_id": "parties.party"}

    assignments: models.Manager[Assignment]
    tokens: models.Manager[Token]

    login = models.CharField(max_length=60, unique=True)
    language = ChoiceField(Language, default=Language.CHINESE)
    theme = ChoiceField(Theme, default=Theme.SYSTEM)
    partner_id = models.UUIDField(null=True, blank=True)
    preferred_site = models.ForeignKey(Site, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    is_demo = models.BooleanField(default=False, editable=False)


class Assignment(Part):
    """A person has a role at a site; without a site, at every site."""

    person_id: UUID
    role_id: UUID
    site_id: UUID | None

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="assignments")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="assignments")
    site = models.ForeignKey(Site, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta(Part.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["person", "role", "site"], name="access_assignment_once", nulls_distinct=False
            )
        ]


class Station(Master):
    """A terminal of the shop floor, known by a key its browser keeps. `work_center_id` is plain: plant lies higher."""

    locks = True

    SECRETS = ("key_digest",)

    site_id: UUID
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    work_center_id = models.UUIDField(null=True, blank=True)
    key_digest = models.CharField(max_length=64, null=True, unique=True, editable=False)


class Display(Master):
    """A screen on a wall: it shows the chosen pages in turn, and may read nothing else. Known by a key.

    A link (kept by its digest, good for a short while and for one browser) lets a browser become it. The key is worth
    nothing after `expires_at`, if there is one, and after it was revoked.
    """

    locks = True

    SECRETS = ("key_digest", "link_digest")

    site_id: UUID
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    screens = ArrayField(models.CharField(max_length=40), default=list)
    dwell_seconds = models.PositiveSmallIntegerField(default=30)
    language = ChoiceField(Language, default=Language.CHINESE)
    theme = ChoiceField(WallTheme, default=WallTheme.DARK)
    expires_at = models.DateTimeField(null=True, blank=True)
    key_digest = models.CharField(max_length=64, null=True, unique=True, editable=False)
    link_digest = models.CharField(max_length=64, null=True, unique=True, editable=False)
    link_until = models.DateTimeField(null=True, editable=False)
    opened_at = models.DateTimeField(null=True, editable=False)
    #: Kept by the door, not by commands: a look is no change of the record.
    seen_at = models.DateTimeField(null=True, editable=False)


class Token(Entity):
    """A key for a program that acts in a person's name, with no more than his rights, until it expires."""

    SECRETS = ("digest",)
    locks = False

    person_id: UUID
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    rights = ArrayField(models.CharField(max_length=120), default=list)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, editable=False)
    #: Kept by the door, not by commands: a use is no change of the record.
    used_at = models.DateTimeField(null=True, editable=False)


#: A refused order waits for a person, who does it again corrected or says why not.
REFUSED = Lifecycle("open", open=["redone", "dismissed"])


class RefusedOrder(Document):
    """An order that a terminal kept while the network was away, and that was refused when it came in.

    Who did it believed that it was done: so somebody must look at it. `body` is what was ordered; `happened_at` is the
    plant's instant of the act, `device_at` what the device's own clock said; `refusal` the sentence of the refusal.
    """

    NUMBER = "RO-{yy}{mm}-{seq:4}"

    person_id: UUID
    station_id: UUID | None

    status = StatusField(REFUSED)
    command = models.CharField(max_length=120)
    body = models.JSONField(default=dict)
    order_id = models.UUIDField(unique=True)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    station = models.ForeignKey(Station, null=True, on_delete=models.PROTECT, related_name="+")
    happened_at = models.DateTimeField()
    device_at = models.DateTimeField(null=True)
    sequence = models.PositiveBigIntegerField(default=0)
    code = models.CharField(max_length=80)
    refusal = models.CharField(max_length=400)
    refusal_en = models.CharField(max_length=400)
    redone_order_id = models.UUIDField(null=True)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.UUIDField(null=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta(Document.Meta):
        indexes = [models.Index(fields=["site_id", "status"], name="access_refused_by_status")]


class Credential(models.Model):
    """The hashes of one person's password, badge and PIN; apart from Person, so that no audit or export shows them."""

    person = models.OneToOneField(Person, primary_key=True, on_delete=models.CASCADE, related_name="+")
    password = models.CharField(max_length=200, blank=True)
    password_at = models.DateTimeField(null=True)
    must_change = models.BooleanField(default=False)
    badge_digest = models.CharField(max_length=64, null=True, unique=True)
    pin = models.CharField(max_length=200, blank=True)


class Session(models.Model):
    """Somebody's stay after logging in. Only the digest of the cookie is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    digest = models.CharField(max_length=64, unique=True)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    station = models.ForeignKey(Station, null=True, on_delete=models.CASCADE, related_name="+")
    site = models.ForeignKey(Site, null=True, on_delete=models.SET_NULL, related_name="+")
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    idle_s = models.PositiveIntegerField()
    ends_at = models.DateTimeField()
    address = models.CharField(max_length=64, blank=True)
    agent = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [models.Index(fields=["ends_at"], name="access_session_by_end")]


class LoginFailure(models.Model):
    """Failures of one login, badge or address, by the digest of its name (people type passwords as logins)."""

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.PositiveIntegerField()
    last_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "access_login_failure"
        indexes = [models.Index(fields=["last_at"], name="access_failure_by_time")]
