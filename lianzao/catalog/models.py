"""Units, items, and their parameters at a site."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from lianzao.catalog import rules
from lianzao.foundation.entity import ChoiceField, Entity, Master, MoneyField, Part, QuantityField, SiteField
from lianzao.values.errors import Invalid, RuleBroken


class UnitKind(models.TextChoices):
    """What a unit measures."""

    COUNT = "count"
    MASS = "mass"
    LENGTH = "length"
    AREA = "area"
    VOLUME = "volume"
    TIME = "time"


class Unit(Master):
    """A unit of measure; its code is what papers print (pc, kg, m)."""

    unit_kind = ChoiceField(UnitKind, default=UnitKind.COUNT)
    decimals = models.PositiveSmallIntegerField(default=0)

    class Meta(Master.Meta):
        constraints = [models.CheckConstraint(condition=Q(decimals__lte=6), name="catalog_unit_six_decimals")]


class ItemGroup(Master):
    """A group items are sorted into; groups may stand in groups."""

    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")

    class Meta(Master.Meta):
        db_table = "catalog_item_group"


class Supply(models.TextChoices):
    """Where an item comes from. A phantom is never stocked: what contains it takes its components."""

    MAKE = "make"
    BUY = "buy"
    PHANTOM = "phantom"
    NONE = "none"


class Tracking(models.TextChoices):
    """How single goods are told apart: not at all, by lot, piece by piece."""

    NONE = "none"
    LOT = "lot"
    SERIAL = "serial"


class Item(Master):
    """A good. All its quantities are in `base_unit`; `step` is the smallest quantity that exists of it."""

    base_unit_id: UUID
    group_id: UUID | None

    group = models.ForeignKey(ItemGroup, null=True, blank=True, on_delete=models.PROTECT, related_name="items")
    base_unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="items")
    supply = ChoiceField(Supply, default=Supply.BUY)
    tracking = ChoiceField(Tracking, default=Tracking.NONE)
    shelf_life_days = models.PositiveIntegerField(null=True, blank=True)
    step = QuantityField(default=Decimal(1))
    weight_kg = QuantityField(null=True, blank=True)
    specification = models.CharField(max_length=200, blank=True)
    drawing_number = models.CharField(max_length=80, blank=True)
    gtin = models.CharField(max_length=14, blank=True)
    note = models.TextField(blank=True)

    class Meta(Master.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(step__gt=0), name="catalog_item_step_positive"),
            models.CheckConstraint(condition=Q(weight_kg=None) | Q(weight_kg__gte=0), name="catalog_item_weight"),
        ]

    def before_save(self) -> None:
        """Keep search terms with specification and drawing; refuse what would change the meaning of old quantities."""
        from lianzao.foundation.search import terms

        self.search_terms = terms(
            self.code, self.name, self.name_en, self.drawing_number, self.specification, self.gtin
        )
        if Decimal(self.step) <= 0:
            raise Invalid("quantity_not_positive", field="step")
        if self.tracking == Tracking.SERIAL and Decimal(self.step) != 1:
            raise Invalid("serial_in_whole_pieces", field="step", item=self.code)
        kept = self.__dict__.get("_kept")
        if kept and kept["base_unit_id"] != self.base_unit_id:
            raise RuleBroken("base_unit_is_fixed", field="base_unit", item=self.code)


class UnitConversion(Entity):
    """One `from_unit` is `factor` `to_unit`: of one item, or in general if no item is named."""

    locks = False
    item_id: UUID | None
    from_unit_id: UUID
    to_unit_id: UUID

    item = models.ForeignKey(Item, null=True, blank=True, on_delete=models.CASCADE, related_name="conversions")
    from_unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    to_unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    factor = models.DecimalField(max_digits=26, decimal_places=12)

    class Meta(Entity.Meta):
        db_table = "catalog_unit_conversion"
        constraints = [
            models.UniqueConstraint(
                fields=["item", "from_unit", "to_unit"], name="catalog_conversion_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(factor__gt=0), name="catalog_conversion_positive"),
            models.CheckConstraint(condition=~Q(from_unit=F("to_unit")), name="catalog_conversion_two_units"),
        ]

    @property
    def label(self) -> str:
        """The units from and to."""
        return f"{self.from_unit.code} → {self.to_unit.code}"

    def before_save(self) -> None:
        """Refuse a factor that is not positive, and a unit in terms of itself."""
        if Decimal(self.factor) <= 0:
            raise Invalid("quantity_not_positive", field="factor")
        if self.from_unit_id == self.to_unit_id:
            raise Invalid("unit_of_itself", field="to_unit")


class ItemSite(Part):
    """How an item is planned, valued and kept at a site. Days are calendar days; 0 means no such lot rule.

    `cover_days`: an order also covers the needs of so many following days. `safety_days`: goods are wanted so much
    earlier than needed. `fence_days`: inside this time the plan is frozen.
    """

    locks = False
    item_id: UUID
    #: Plain ids whose records have a code all the same: plant is a sibling, so there is no foreign key.
    REFERENCES = {"store_location_id": "plant.location"}

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="sites")
    site_id = SiteField()
    lead_time_days = models.PositiveIntegerField(default=0)
    lot_minimum = QuantityField(default=Decimal(0))
    lot_multiple = QuantityField(default=Decimal(0))
    lot_maximum = QuantityField(default=Decimal(0))
    fixed_lot = QuantityField(default=Decimal(0))
    cover_days = models.PositiveIntegerField(default=0)
    safety_stock = QuantityField(default=Decimal(0))
    safety_days = models.PositiveIntegerField(default=0)
    fence_days = models.PositiveIntegerField(default=0)
    standard_cost = MoneyField(default=Decimal(0))
    store_location_id = models.UUIDField(null=True, blank=True)
    backflush = models.BooleanField(default=False)
    inspect_on_receipt = models.BooleanField(default=False)

    class Meta(Part.Meta):
        db_table = "catalog_item_site"
        constraints = [
            models.UniqueConstraint(fields=["item", "site_id"], name="catalog_item_site_once"),
            models.CheckConstraint(
                condition=Q(
                    lot_minimum__gte=0,
                    lot_multiple__gte=0,
                    lot_maximum__gte=0,
                    fixed_lot__gte=0,
                    safety_stock__gte=0,
                    standard_cost__gte=0,
                ),
                name="catalog_item_site_not_negative",
            ),
        ]
        indexes = [models.Index(fields=["site_id", "item"], name="catalog_item_site_by_site")]

    @property
    def label(self) -> str:
        """The item's code."""
        return self.item.code

    def before_save(self) -> None:
        """Refuse lot rules that contradict each other or the item's smallest quantity."""
        problem = rules.lot_rule_problem(
            minimum=Decimal(self.lot_minimum),
            multiple=Decimal(self.lot_multiple),
            maximum=Decimal(self.lot_maximum),
            fixed=Decimal(self.fixed_lot),
            step=Decimal(self.item.step),
        )
        for field in ("safety_stock", "standard_cost"):
            if not problem and Decimal(getattr(self, field)) < 0:
                problem = field, "must_not_be_negative"
        if problem:
            field, code = problem
            raise Invalid(
                code, field=field, item=self.item.code, value=Decimal(getattr(self, field)), step=self.item.step
            )
