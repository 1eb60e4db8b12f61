"""What every record has: a time-ordered id, a version, who made and changed it, which system owns it, its external ids.

Saving is possible inside a command only, and is audited by itself (before and after).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import DatabaseError, connection, models
from django.db.models.base import ModelState

from lianzao.foundation import audit, packing
from lianzao.foundation.registry import kind_of
from lianzao.values.errors import Conflict, Invalid, NotFound
from lianzao.values.quantity import LARGEST
from lianzao.values.reference import Ref
from lianzao.values.time import uuid7

OWN_SYSTEM = "lianzao"


class QuantityField(models.DecimalField):
    """A quantity in the item's base unit: NUMERIC(20,6)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("max_digits", 20)
        options.setdefault("decimal_places", 6)
        super().__init__(*args, **options)


class MoneyField(models.DecimalField):
    """An amount of money; the currency stands beside it or at the document's head: NUMERIC(20,6)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("max_digits", 20)
        options.setdefault("decimal_places", 6)
        super().__init__(*args, **options)


class SiteField(models.UUIDField):
    """The site a row belongs to, as a plain id: foundation knows no sites."""


class ChoiceField(models.CharField):
    """A text column that holds one of a TextChoices. The words of the values are in words.json, not in the class."""

    if TYPE_CHECKING:  # the field stubs know only Django's own parameters

        def __new__(cls, choices_class: type[models.TextChoices] | None = None, **options: Any) -> Self: ...

    def __init__(self, choices_class: type[models.TextChoices] | None = None, **options: Any) -> None:
        if choices_class is not None:
            options.setdefault("choices", [(value, value) for value in choices_class.values])
        options.setdefault("max_length", 24)
        super().__init__(**options)


class Lifecycle:
    """The states of a document and the ways between them.

    >>> LIFE = Lifecycle("draft", draft=["confirmed", "cancelled"], confirmed=["closed"])
    """

    def __init__(self, start: str, **ways: list[str]) -> None:
        self.start = start
        self.ways = {state: tuple(targets) for state, targets in ways.items()}
        self.states = tuple(dict.fromkeys([start, *ways, *(target for targets in ways.values() for target in targets)]))

    def allows(self, state: str, target: str) -> bool:
        """Whether a document may go from one state to another."""
        return target in self.ways.get(state, ())


class StatusField(models.CharField):
    """The state of a document, one of its life cycle's."""

    if TYPE_CHECKING:

        def __new__(cls, life: Lifecycle | None = None, **options: Any) -> Self: ...

    def __init__(self, life: Lifecycle | None = None, **options: Any) -> None:
        self.life = life
        if life is not None:
            options.setdefault("default", life.start)
            options.setdefault("choices", [(state, state) for state in life.states])
        options.setdefault("max_length", 24)
        super().__init__(**options)


class Entity(models.Model):
    """A record of the house."""

    #: Whether a command that names it locks its row. Masters are read by everybody at once and are not locked.
    locks: ClassVar[bool] = True

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.UUIDField(null=True, editable=False)
    updated_at = models.DateTimeField(editable=False)
    updated_by = models.UUIDField(null=True, editable=False)
    owner_system = models.CharField(max_length=40, default=OWN_SYSTEM, editable=False)

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Sequence[str], values: Sequence[Any]) -> Self:
        """Make a record of what was read, and remember that, so that a save can say what it changed.

        Django's own sets each attribute by itself and tells signals nobody hears, at five times the cost. Columns that
        were not asked for are read when they are wanted, as ever.
        """
        made = cls.__new__(cls)
        kept = dict(zip(field_names, values, strict=True))
        attributes = vars(made)
        attributes.update(kept)
        attributes["_kept"] = kept
        made._state = state = ModelState()
        state.adding, state.db = False, db
        return made

    @property
    def kind(self) -> str:
        """ "<room>.<entity>"."""
        return kind_of(type(self))

    @property
    def ref(self) -> Ref:
        """The reference to this record."""
        return Ref(self.kind, self.id)

    @property
    def label(self) -> str:
        """What people call it: number, code, or id."""
        return str(getattr(self, "number", None) or getattr(self, "code", None) or self.id)

    def __str__(self) -> str:
        return self.label

    def columns(self) -> dict[str, Any]:
        """The row as it stands, by column name."""
        return {field.attname: getattr(self, field.attname) for field in self._meta.concrete_fields}

    def stamp(self, order: audit.Running) -> None:
        """Set who and when of a row about to be written."""
        if self._state.adding:
            self.created_at = order.at
            self.created_by = order.by.id
        self.updated_at = order.at
        self.updated_by = order.by.id

    def before_save(self) -> None:
        """Hook: complete the row (number, search terms) before it is written."""

    def save(self, *args: Any, **options: Any) -> None:
        """Write the row and its audit. Only inside a command. The options are Django's, and say nothing to us."""
        order = audit.must_run()
        adding = self._state.adding
        self.stamp(order)
        self.before_save()
        check_limits(self)
        kept: dict[str, Any] = self.__dict__.get("_kept", {})
        if adding:
            _insert(self)
            vars(self)["_kept"] = self.columns()
            audit.note(self.kind, self.id, None, _told(self))
            return
        changed = [
            field
            for field in self._meta.concrete_fields
            if field.attname in kept
            and field.attname not in BOOKKEEPING
            and getattr(self, field.attname) != kept[field.attname]
        ]
        if not changed and kept:
            return
        self.version += 1
        if kept:
            _update(self, (*(field.attname for field in changed), "version", "updated_at", "updated_by"))
        else:
            super().save(*args, **options)
        before = {field.attname: kept[field.attname] for field in changed}
        after = {field.attname: getattr(self, field.attname) for field in changed}
        vars(self)["_kept"] = self.columns()
        audit.note(self.kind, self.id, before, after)

    def delete(self, *args: Any, **options: Any) -> Any:
        """Remove the row (parts of a draft, mostly); audited. Only inside a command."""
        audit.must_run()
        before, id = _told(self), self.id
        done = super().delete(*args, **options)
        audit.note(self.kind, id, before, None)
        return done

    def move_to(self, status: str) -> None:
        """Go to another state of the life cycle; the caller saves. Raises Conflict("wrong_status")."""
        field = self._meta.get_field("status")
        life = getattr(field, "life", None)
        if life is None:
            raise TypeError(f"{self.kind} has no life cycle")
        now: str = getattr(self, "status")  # noqa: B009 - status exists on those with a life cycle only
        if not life.allows(now, status):
            raise Conflict("wrong_status", document=self.label, status=now, wanted=status)
        setattr(self, "status", status)  # noqa: B010


@lru_cache(maxsize=256)
def _one_insert(model: type[Entity]) -> str:
    names = ", ".join(connection.ops.quote_name(cast(str, field.column)) for field in model._meta.concrete_fields)
    places = ", ".join(["%s"] * len(model._meta.concrete_fields))
    return f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({names}) VALUES ({places})"


def _insert(entity: Entity) -> None:
    """Write one new row. Django works the statement out anew for each, which costs it more than PostgreSQL."""
    row = [field.get_db_prep_save(getattr(entity, field.attname), connection) for field in entity._meta.concrete_fields]
    with connection.cursor() as cursor:
        cursor.execute(_one_insert(type(entity)), row)
    entity._state.adding, entity._state.db = False, connection.alias


@lru_cache(maxsize=4096)
def _one_update(model: type[Entity], names: tuple[str, ...]) -> tuple[str, tuple[models.Field[Any, Any], ...]]:
    fields = tuple(next(each for each in model._meta.concrete_fields if each.attname == name) for name in names)
    sets = ", ".join(f"{connection.ops.quote_name(cast(str, each.column))} = %s" for each in fields)
    return f"UPDATE {connection.ops.quote_name(model._meta.db_table)} SET {sets} WHERE id = %s", fields


def _update(entity: Entity, names: tuple[str, ...]) -> None:
    """Write columns of one row. Raises DatabaseError when it is no longer there."""
    sql, fields = _one_update(type(entity), names)
    row = [field.get_db_prep_save(getattr(entity, field.attname), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*row, entity.pk])
        if cursor.rowcount != 1:
            raise DatabaseError(f"{entity.kind} {entity.pk} is no longer there")


@lru_cache(maxsize=256)
def _limits(model: type[Entity]) -> list[tuple[str, str, int | None, int]]:
    """The columns with a limit: attribute, name, least and most; without a least, `most` counts letters."""
    found: list[tuple[str, str, int | None, int]] = []
    for field in model._meta.concrete_fields:
        if isinstance(field, QuantityField):
            found.append((field.attname, field.name, -int(LARGEST), int(LARGEST) - 1))
        elif isinstance(field, models.DecimalField):
            bound = 10 ** cast(int, field.max_digits - field.decimal_places)  # type: ignore[operator]
            found.append((field.attname, field.name, 1 - bound, bound - 1))
        elif isinstance(field, models.IntegerField):
            least, most = connection.ops.integer_field_range(field.get_internal_type())
            found.append((field.attname, field.name, least, most))
        elif isinstance(field, models.CharField) and field.max_length is not None:
            found.append((field.attname, field.name, None, field.max_length))
    return found


def check_limits(entity: Entity) -> None:
    """Refuse what a column cannot hold by its name, before the database refuses it without. Raises Invalid."""
    for attribute, name, least, most in _limits(type(entity)):
        value = getattr(entity, attribute)
        if least is None:
            if isinstance(value, str) and len(value) > most:
                raise Invalid("too_long", field=name)
        elif isinstance(value, (int, Decimal)):
            if value < least:
                raise Invalid("too_small", field=name)
            if value > most and value >= most + 1:
                raise Invalid("too_large", field=name)


BOOKKEEPING = frozenset({"version", "created_at", "created_by", "updated_at", "updated_by", "search_terms"})


def _told(entity: Entity) -> dict[str, Any]:
    """The columns worth telling in the audit of a new or removed row: those that are not empty."""
    return _told_of(entity.columns())


def _told_of(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in row.items()
        if name not in BOOKKEEPING
        and name != "id"
        # What counts as true is not empty; only the rest need be compared (0 and False are values too).
        and (value or (value is not None and value not in ("", [], {})))
    }


class Master(Entity):
    """Master data: a code people know it by, and a name in both languages."""

    locks = False

    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    name_en = models.CharField(max_length=200, blank=True)
    retired_at = models.DateTimeField(null=True, editable=False)
    retired_why = models.CharField(max_length=200, blank=True, editable=False)
    search_terms = ArrayField(models.TextField(), default=list, editable=False)

    class Meta(Entity.Meta):
        abstract = True
        indexes = [GinIndex(fields=["search_terms"], name="%(app_label).6s_%(class).16s_words")]

    def before_save(self) -> None:
        """Keep the search terms in step with code and names."""
        from lianzao.foundation.search import terms

        self.search_terms = terms(self.code, self.name, self.name_en)

    def said(self, language: str) -> str:
        """The name in a language, the other one when it is missing."""
        if language.startswith("en"):
            return self.name_en or self.name
        return self.name or self.name_en


class Part(Entity):
    """A row of a document."""

    class Meta(Entity.Meta):
        abstract = True


class Document(Entity):
    """A paper of the plant: a number by code rule, a site, a state."""

    NUMBER: ClassVar[str] = "{seq:6}"

    number = models.CharField(max_length=60, unique=True, editable=False)
    site_id = SiteField()

    class Meta(Entity.Meta):
        abstract = True

    def before_save(self) -> None:
        """Take the next number at the first save."""
        if not self.number:
            from lianzao.foundation.numbering import next_number

            self.number = next_number(type(self), self.site_id)


class Approvable(models.Model):
    """Can be approved and un-approved (审核/反审核). What is approved refuses a generic change."""

    approved_at = models.DateTimeField(null=True, editable=False)
    approved_by = models.UUIDField(null=True, editable=False)

    class Meta:
        abstract = True

    def check_approve(self) -> None:
        """Hook: raise what forbids approval."""

    def check_unapprove(self) -> None:
        """Hook: raise what forbids taking the approval back."""

    def on_approve(self) -> None:
        """Hook: what else changes with the approval (the caller saves)."""

    def on_unapprove(self) -> None:
        """Hook: what else changes when it is taken back (the caller saves)."""


class ExternalId(models.Model):
    """What another system calls a record: (kind, system, key) is unique, so a second import finds the first."""

    id = models.BigAutoField(primary_key=True)
    entity_kind = models.CharField(max_length=80)
    entity_id = models.UUIDField()
    system = models.CharField(max_length=40)
    key = models.CharField(max_length=200)

    class Meta:
        app_label = "foundation"
        db_table = "foundation_external_id"
        constraints = [
            models.UniqueConstraint(fields=["entity_kind", "system", "key"], name="external_id_unique"),
        ]
        indexes = [models.Index(fields=["entity_id"], name="external_id_by_entity")]


E = TypeVar("E", bound=Entity)


def blanks(model: type[E], **values: Any) -> Iterator[E]:
    """New rows of a model, one after the other, each as `model(**values)` makes it but its id and other own defaults.

    Django fills in every column of every row by asking; where thousands are made, they are copies of the first.
    """
    first = model(**values)
    given = {*values, *(f"{name}_id" for name in values)}
    own = [
        field for field in model._meta.concrete_fields
        if field.has_default() and callable(field.default) and field.attname not in given
    ]  # fmt: skip
    while True:
        made = model.__new__(model)
        vars(made).update(vars(first))
        made._state = ModelState()
        made._state.fields_cache = dict(first._state.fields_cache)  # type: ignore[attr-defined]
        for field in own:
            setattr(made, field.attname, field.get_default())
        yield made


def insert(entities: Sequence[E]) -> Sequence[E]:
    """Write many new rows of one model with one statement, audited."""
    if not entities:
        return entities
    order = audit.must_run()
    model = type(entities[0])
    if issubclass(model, Document):
        from lianzao.foundation.numbering import give_numbers

        give_numbers(cast("Sequence[Document]", entities))
    for entity in entities:
        entity.stamp(order)
        entity.before_save()
        check_limits(entity)
    rows = [entity.columns() for entity in entities]
    _write(model, rows)
    kind = kind_of(model)
    for entity, row in zip(entities, rows, strict=True):
        entity._state.adding, entity._state.db = False, connection.alias
        vars(entity)["_kept"] = row
        audit.note(kind, entity.id, None, _told_of(row))
    return entities


@lru_cache(maxsize=256)
def _insertion(model: type[Entity]) -> tuple[str, tuple[str, ...], frozenset[str]] | None:
    """How rows are written as one array for each column: the SQL, the columns, which of them are JSON.

    None for models with a column that is an array itself; PostgreSQL has no arrays of arrays.
    """
    fields = model._meta.concrete_fields
    if any(isinstance(field, ArrayField) for field in fields):
        return None
    names = ", ".join(connection.ops.quote_name(cast(str, field.column)) for field in fields)
    types = ", ".join(f"%s::{field.db_type(connection)}[]" for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    json = frozenset(field.attname for field in fields if isinstance(field, models.JSONField))
    sql = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({types})"
    return sql, tuple(field.attname for field in fields), json


def _write(model: type[Entity], rows: Sequence[dict[str, Any]]) -> None:
    """Write rows. Django's own way asks each field of each row for each value, at three times the cost."""
    known = _insertion(model)
    if known is None:
        made = [model(**row) for row in rows]
        cast(Any, model)._default_manager.bulk_create(made)
        return
    sql, names, json = known
    columns = [
        [None if row[name] is None else packing.text(row[name]) for row in rows]
        if name in json
        else [row[name] for row in rows]
        for name in names
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, [packing.array(column) for column in columns])


def execute(sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
    """Set-based writing on hot paths, inside a command; gives RETURNING rows. Say what changed with audit.note."""
    audit.must_run()
    return query(sql, params)


def query(sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of a statement. Parameters that are lists become arrays; the statement casts them."""
    given = (
        {name: _packed(value) for name, value in params.items()}
        if isinstance(params, dict)
        else [_packed(value) for value in params]
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        answer = cast(Any, cursor).pgresult  # asked for its width; `description` would make an object for every column
        return cursor.fetchall() if answer is not None and answer.nfields else []


def _packed(value: Any) -> Any:
    return packing.array(value) if type(value) is list else value


def set_external_id(entity: Entity, system: str, key: str) -> None:
    """Remember what another system calls a record. Raises Conflict when the key means another record already."""
    audit.must_run()
    kind = entity.kind
    row, made = ExternalId.objects.get_or_create(
        entity_kind=kind, system=system, key=key, defaults={"entity_id": entity.id}
    )
    if not made and row.entity_id != entity.id:
        raise Conflict("external_id_taken", system=system, key=key)
    if made:
        audit.note(kind, entity.id, None, {"external_id": f"{system}:{key}"})


def set_external_ids(model: type[Entity], system: str, keys: Sequence[tuple[str, UUID]]) -> None:
    """Remember what another system calls many new records of one kind, with one statement.

    Raises Conflict when a key means another record already, or two of these. The audit tells who made the records.
    """
    audit.must_run()
    if not keys:
        return
    sql = """
        INSERT INTO foundation_external_id (entity_kind, system, key, entity_id)
        SELECT %s, %s, given.key, given.id FROM unnest(%s::text[], %s::uuid[]) given (key, id)
        ON CONFLICT (entity_kind, system, key) DO NOTHING RETURNING entity_id"""
    names, ids = zip(*keys, strict=True)
    written = {id for (id,) in query(sql, [kind_of(model), system, list(names), list(ids)])}
    for key, id in keys:
        if id not in written:
            raise Conflict("external_id_taken", system=system, key=key)


def external_id(entity: Entity, system: str) -> str | None:
    """What a system calls a record."""
    return ExternalId.objects.filter(entity_id=entity.id, system=system).values_list("key", flat=True).first()


def by_external_id(model: type[E], system: str, keys: Iterable[str]) -> dict[str, UUID]:
    """The ids of records by another system's keys."""
    found = ExternalId.objects.filter(entity_kind=kind_of(model), system=system, key__in=list(keys))
    return dict(found.values_list("key", "entity_id"))


def get(model: type[E], id: UUID | str, *, lock: bool = False) -> E:
    """One record. Raises NotFound naming what was sought."""
    rows = model._default_manager.filter(pk=id)
    if lock:
        rows = rows.select_for_update(of=("self",))
    found = rows.first()
    if found is None:
        raise NotFound("not_found", entity=kind_of(model), id=str(id))
    return found


def positive(value: Decimal, field: str) -> Decimal:
    """A quantity that must be greater than zero. Raises Invalid naming the field."""
    if value <= 0:
        raise Invalid("quantity_not_positive", field=field)
    return value
