"""Rows into records: new ones made, changed ones changed, equal ones left alone; look-ups and writes in batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q

from lianzao.foundation import audit, outbox, scope
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.entity import Approvable, Entity, ExternalId, _told
from lianzao.foundation.events import RecordChanged
from lianzao.foundation.registry import kind_of
from lianzao.foundation.resource import Resource
from lianzao.foundation.transfer.columns import BadCell, Column, Reading, of_model, parsed
from lianzao.foundation.transfer.lookups import batches, references
from lianzao.foundation.transfer.reading import Cell
from lianzao.foundation.transfer.sql import insert_rows, update_rows
from lianzao.values.errors import DomainError, NotAllowed
from lianzao.values.time import uuid7

#: Beyond this many, the audit of new rows names them without repeating every column (the rows themselves tell).
TOLD_IN_FULL = 2_000


@dataclass
class RowError:
    """What is wrong with a row of the file."""

    row: int | None
    field: str
    code: str
    detail: str = ""
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass
class Record:
    """What a row (or a group of rows) says of one record: cells by field name, and its key in another system."""

    row: int
    cells: dict[str, Cell]
    external: str = ""
    parent: Any = None
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    entity: Any = None


@dataclass
class Counts:
    """What became of the rows."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0


def natural_key(resource: Resource) -> tuple[str, ...]:
    """The columns that identify a record in a file: code, else what is unique and written, else number or id."""
    writable = set(resource.writable_names)
    keys = tuple(resource.key.split())
    if keys and set(keys) <= writable:
        return keys
    for constraint in resource.model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.condition is None and constraint.fields:
            names = {resource.model._meta.get_field(name).name for name in constraint.fields}
            if names <= writable:
                return tuple(constraint.fields)
    return keys or ("id",)


class Upsert:
    """One kind of rows of one file. `errors` collects what is wrong; wrong rows are not written."""

    def __init__(self, by: Actor, resource: Resource, how: Reading, errors: list[RowError]) -> None:
        self.by = by
        self.resource = resource
        self.model = resource.model
        self.kind = resource.kind
        self.how = how
        self.errors = errors
        self.counts = Counts()
        self.made: list[Entity] = []
        self.changes: list[tuple[Entity, list[str]]] = []
        self.system = ""
        self.lookups: Mapping[str, str] = {}
        self.key: tuple[str, ...] = natural_key(resource)
        self.key_attnames: list[str] = []
        self.columns: dict[str, Column] = {}

    def run(self, records: Sequence[Record], *, system: str = "", lookups: Mapping[str, str] | None = None) -> Counts:
        """Resolve, compare and write the records. Their `entity` is set, also where nothing changed."""
        self.system, self.lookups = system, lookups or {}
        self.key_attnames = [attname_of(of_model(self.model, name)) for name in self.key]
        names = dict.fromkeys(name for record in records for name in record.cells)
        self.columns = {name: of_model(self.model, name) for name in names}
        good = self._typed(records)
        good = self._referenced(good)
        good = self._once(good)
        self._found(good)
        for record in good:
            self._compare(record)
        self._check_rights()
        self._write()
        if self.made or self.changes:
            outbox.publish(RecordChanged(self.kind, None, None))
        self._link_externally(good)
        return self.counts

    def refuse(self, row: int | None, name: str, code: str, **facts: Any) -> None:
        """Remember what is wrong with a row."""
        self.errors.append(RowError(row, name, code, facts=facts))

    # -- from cells to values -----------------------------------------------------------------------------------------

    def _typed(self, records: Sequence[Record]) -> list[Record]:
        good: list[Record] = []
        for record in records:
            fine = True
            for name, cell in record.cells.items():
                column = self.columns[name]
                if cell is None or cell == "":
                    record.values[name] = None
                    continue
                if isinstance(cell, Entity):
                    record.values[name] = cell
                    continue
                try:
                    record.values[name] = parsed(column, cell, self.how)
                except BadCell as error:
                    self.refuse(record.row, name, error.code, **error.facts)
                    fine = False
            if fine:
                good.append(record)
        return good

    def _referenced(self, records: Sequence[Record]) -> list[Record]:
        """Texts of references into records, one or two statements for each column."""
        bad: set[int] = set()
        for name, column in self.columns.items():
            if column.kind != "reference":
                continue
            wanted = {value for record in records if isinstance(value := record.values.get(name), str)}
            found = references(self.by, column, wanted, self.lookups.get(name, ""), self.system)
            own = {} if column.model is not self.model else self._in_this_file(records, column)
            for record in records:
                text = record.values.get(name)
                if not isinstance(text, str):
                    continue
                target = found.get(text) or own.get(text)
                if target is None:
                    self.refuse(record.row, name, "no_such_record", value=text, entity=kind_of(column.model))  # type: ignore[arg-type]
                    bad.add(id(record))
                elif column.site and self.by.sites is not ALL and target.pk not in self.by.sites:
                    self.refuse(record.row, name, "foreign_site", value=text)
                    bad.add(id(record))
                else:
                    record.values[name] = target
        return [record for record in records if id(record) not in bad]

    def _in_this_file(self, records: Sequence[Record], column: Column) -> dict[str, Entity]:
        """Records this file itself makes, by code: a tree may name parents that stand in the same file."""
        found: dict[str, Entity] = {}
        for record in records:
            code = record.values.get(column.by)
            if isinstance(code, str) and code not in found:
                record.entity = record.entity or self.model(id=uuid7())
                setattr(record.entity, column.by, code)
                found[code] = record.entity
        return found

    def _key_of(self, record: Record) -> tuple[Any, ...]:
        return tuple(_bare(record.values.get(name)) for name in self.key)

    def _key_in(self, entity: Entity) -> tuple[Any, ...]:
        return tuple(getattr(entity, attname) for attname in self.key_attnames)

    def _once(self, records: Sequence[Record]) -> list[Record]:
        """Refuse a record that stands in the file twice, and one without its key."""
        rows: dict[tuple[Any, ...], int] = {}
        good: list[Record] = []
        for record in records:
            key = (record.external,) if record.external else self._key_of(record)
            if not record.external and all(part is None for part in key):
                self.refuse(record.row, self.key[0], "field_missing")
            elif key in rows:
                self.refuse(record.row, self.key[-1], "row_twice", other=rows[key])
            else:
                rows[key] = record.row
                good.append(record)
        return good

    # -- what is there ------------------------------------------------------------------------------------------------

    def _found(self, records: Sequence[Record]) -> None:
        for batch in batches(records):
            kept: dict[Any, Entity] = {}
            for entity in self._existing([record for record in batch if not record.external]):
                kept[self._key_in(entity)] = entity
            outside = self._by_external_id(batch)
            seen = self._visible([*kept.values(), *outside.values()])
            for record in batch:
                entity = outside.get(record.external) if record.external else kept.get(self._key_of(record))
                if entity is not None and entity.pk not in seen:
                    self.refuse(record.row, self.key[0], "already_taken", value=entity.label)
                    record.values["__refused"] = True
                elif entity is not None:
                    record.entity = entity

    def _existing(self, records: Sequence[Record]) -> Iterable[Entity]:
        if not records:
            return []
        wanted = Q()
        for place, attname in enumerate(self.key_attnames):
            values = {self._key_of(record)[place] for record in records}
            condition = Q(**{f"{attname}__in": [value for value in values if value is not None]})
            wanted &= condition | Q(**{f"{attname}__isnull": True}) if None in values else condition
        return self._locked(wanted)

    def _by_external_id(self, records: Sequence[Record]) -> dict[str, Entity]:
        keys = [record.external for record in records if record.external]
        if not keys:
            return {}
        ids = dict(
            ExternalId.objects.filter(entity_kind=self.kind, system=self.system, key__in=keys).values_list(
                "key", "entity_id"
            )
        )
        entities = {entity.pk: entity for entity in self._locked(Q(pk__in=list(ids.values())))}
        found = {key: entities[id] for key, id in ids.items() if id in entities}
        # A record nobody linked yet may be known by its natural key.
        rest = [record for record in records if record.external and record.external not in found]
        rest = [record for record in rest if any(part is not None for part in self._key_of(record))]
        by_key = {self._key_in(entity): entity for entity in self._existing(rest)}
        return found | {record.external: by_key[key] for record in rest if (key := self._key_of(record)) in by_key}

    def _locked(self, wanted: Q) -> Iterable[Entity]:
        return self.model._default_manager.filter(wanted).order_by("pk").select_for_update(of=("self",))

    def _visible(self, entities: Sequence[Entity]) -> set[UUID]:
        ids = {entity.pk for entity in entities}
        if not ids or (self.by.sites is ALL and self.by.partner is None):
            return ids
        return set(scope.visible(self.by, self.model).filter(pk__in=ids).values_list("pk", flat=True))

    # -- new, changed, equal ------------------------------------------------------------------------------------------

    def _compare(self, record: Record) -> None:
        if record.values.pop("__refused", False):
            return
        entity: Entity | None = record.entity
        if entity is None or entity._state.adding:
            self._make(record)
            return
        changed: list[str] = []
        for name, value in record.values.items():
            column = self.columns[name]
            attname = attname_of(column)
            if value is None:
                value = self._emptied(column, getattr(entity, attname))
            if _bare(value) == getattr(entity, attname):
                _put(entity, column, value)  # saves the room's rules from fetching what is known already
                continue
            if name not in self.resource.writable_names and attname not in self.resource.writable_names:
                self.refuse(record.row, name, "column_is_read_only", value=str(_bare(value))[:80])
                return
            changed.append(attname)
            _put(entity, column, value)
        if not changed:
            self.counts.unchanged += 1
            return
        if isinstance(entity, Approvable) and entity.approved_at is not None:
            self.refuse(record.row, "", "approved_is_fixed", document=entity.label)
            return
        if self._complete(record, entity):
            self.changes.append((entity, changed))
            self.counts.changed += 1

    def _emptied(self, column: Column, now: Any) -> Any:
        """What an empty cell means for a record that exists: nothing where that is allowed, else as it was."""
        if column.null:
            return None
        return (
            ""
            if column.kind == "text" and isinstance(now, str) and column.source is not None and column.source.blank
            else now
        )

    def _make(self, record: Record) -> None:
        if not self.resource.writable:
            self.refuse(record.row, self.key[0], "no_such_record", value=str(self._key_of(record)[0]), entity=self.kind)
            return
        entity: Entity = record.entity or self.model()
        fine = True
        given: set[str] = set()
        for name, value in record.values.items():
            column = self.columns[name]
            if name not in self.resource.writable_names and column.target not in self.resource.writable_names:
                continue
            if value is None:
                continue
            given.add(name)
            _put(entity, column, value)
        for name in self.resource.writable_names:
            column = self.columns.get(name) or of_model(self.model, name)
            if column.required and column.name not in given and name not in given:
                self.refuse(record.row, column.name, "field_missing")
                fine = False
        if fine and self._complete(record, entity):
            record.entity = entity
            self.made.append(entity)
            self.counts.created += 1
        else:
            record.entity = None

    def _complete(self, record: Record, entity: Entity) -> bool:
        """The room's own rules for a row, as a change by hand would meet them."""
        try:
            check = getattr(entity, "check_row", None)
            if callable(check):
                check()
            entity.before_save()
        except DomainError as error:
            self.errors.append(RowError(record.row, error.field or "", error.code, facts=dict(error.facts)))
            return False
        return True

    # -- writing ------------------------------------------------------------------------------------------------------

    def _check_rights(self) -> None:
        room, entity = self.resource.room, self.resource.entity
        for rows, right in ((self.made, f"{room}.create_{entity}"), (self.changes, f"{room}.change_{entity}")):
            if rows and not self.by.may(right):
                raise NotAllowed("not_allowed", right=right)

    def _write(self) -> None:
        order = audit.must_run()
        in_full = len(self.made) <= TOLD_IN_FULL
        for entity in self.made:
            entity.owner_system = self.system or entity.owner_system
            entity.stamp(order)
            if in_full:
                audit.note(self.kind, entity.pk, None, _told(entity))
            else:
                audit.touch(self.kind, entity.pk)
        fields = list(self.model._meta.concrete_fields)
        for batch in batches(self.made):
            insert_rows(self.model, fields, batch)
            for entity in batch:
                entity._state.adding = False
                entity._state.db = "default"
                entity.__dict__["_kept"] = entity.columns()
        if not in_full:
            order.changes.append({"kind": self.kind, "created": len(self.made)})
        self._write_changes(order)

    def _write_changes(self, order: audit.Running) -> None:
        names = {"version", "updated_at", "updated_by"}
        for entity, _ in self.changes:
            kept: dict[str, Any] = entity.__dict__["_kept"]
            now = entity.columns()
            differing = [name for name, value in now.items() if kept.get(name) != value]
            names.update(differing)
            before = {name: kept[name] for name in differing if name != "search_terms"}
            audit.note(self.kind, entity.pk, before, {name: now[name] for name in before})
            entity.version += 1
            entity.stamp(order)
        fields = [each for each in self.model._meta.concrete_fields if each.attname in names]
        for batch in batches(self.changes):
            entities = [entity for entity, _ in batch]
            update_rows(self.model, fields, entities)
            for entity in entities:
                entity.__dict__["_kept"] = entity.columns()

    def _link_externally(self, records: Sequence[Record]) -> None:
        linked = [record for record in records if record.external and record.entity is not None]
        for batch in batches(linked):
            known = dict(
                ExternalId.objects.filter(
                    entity_kind=self.kind, system=self.system, key__in=[record.external for record in batch]
                ).values_list("key", "entity_id")
            )
            new = []
            for record in batch:
                owner = known.get(record.external)
                if owner is None:
                    new.append(
                        ExternalId(
                            entity_kind=self.kind, entity_id=record.entity.pk, system=self.system, key=record.external
                        )
                    )
                    audit.note(self.kind, record.entity.pk, None, {"external_id": f"{self.system}:{record.external}"})
                elif owner != record.entity.pk:
                    self.refuse(record.row, "", "external_id_taken", system=self.system, key=record.external)
            ExternalId.objects.bulk_create(new)


def attname_of(column: Column) -> str:
    """The name of the plain value on the record: item_id for item."""
    assert column.source is not None
    return column.source.attname


def _put(entity: Entity, column: Column, value: Any) -> None:
    if isinstance(column.source, models.ForeignKey):
        if isinstance(value, models.Model) or value is None:
            setattr(entity, column.source.name, value)
    else:
        setattr(entity, attname_of(column), _bare(value))


def _bare(value: Any) -> Any:
    return value.pk if isinstance(value, models.Model) else value
