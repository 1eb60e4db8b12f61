"""Parties and their contacts."""

from __future__ import annotations

from django.db import models

from lianzao.foundation.entity import ChoiceField, Master, Part
from lianzao.parties import rules
from lianzao.values.errors import Invalid


class PartyLanguage(models.TextChoices):
    """The language of papers and messages for a partner."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


class Party(Master):
    """A firm we trade with. `transit_days`: calendar days goods travel between it and us."""

    is_customer = models.BooleanField(default=False)
    is_supplier = models.BooleanField(default=False)
    is_carrier = models.BooleanField(default=False)
    tier = models.PositiveSmallIntegerField(null=True, blank=True)
    language = ChoiceField(PartyLanguage, default=PartyLanguage.CHINESE)
    currency = models.CharField(max_length=3, default="CNY")
    transit_days = models.PositiveSmallIntegerField(default=0)
    phone = models.CharField(max_length=60, blank=True)
    email = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=400, blank=True)
    country = models.CharField(max_length=2, blank=True)
    tax_number = models.CharField(max_length=60, blank=True)
    blocked_at = models.DateTimeField(null=True, editable=False)
    blocked_why = models.CharField(max_length=200, blank=True, editable=False)

    class Meta(Master.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(is_customer=True) | models.Q(is_supplier=True) | models.Q(is_carrier=True),
                name="parties_party_has_role",
            ),
            models.CheckConstraint(
                condition=models.Q(tier=None) | models.Q(tier__range=(1, 3)), name="parties_party_tier_1_to_3"
            ),
        ]

    def before_save(self) -> None:
        """Refuse a party without a role, or with a currency, phone or address nobody can use."""
        super().before_save()
        problem = rules.party_problem(
            is_customer=self.is_customer,
            is_supplier=self.is_supplier,
            is_carrier=self.is_carrier,
            tier=self.tier,
            currency=self.currency,
            transit_days=self.transit_days,
            phone=self.phone,
            email=self.email,
        )
        if problem:
            field, code = problem
            raise Invalid(code, field=field, value=str(getattr(self, field)))


class Contact(Part):
    """Somebody to call at a party."""

    locks = False

    party = models.ForeignKey(Party, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=120, blank=True)
    phone = models.CharField(max_length=60, blank=True)
    email = models.CharField(max_length=200, blank=True)
    is_main = models.BooleanField(default=False)

    class Meta(Part.Meta):
        constraints = [models.UniqueConstraint(fields=["party", "name"], name="parties_contact_once")]

    @property
    def label(self) -> str:
        """The name of the person."""
        return self.name

    def before_save(self) -> None:
        """Refuse a phone number or an address nobody can use."""
        problem = rules.contact_problem(phone=self.phone, email=self.email)
        if problem:
            field, code = problem
            raise Invalid(code, field=field, value=str(getattr(self, field)))
