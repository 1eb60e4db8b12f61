"""Exchange of files: CSV and XLSX in (with dry run, mapping and errors by row) and out (what goes out can come in).

`import_file` and `export_rows` are the doors; `bulk` is the hook for rooms with history by the hundred thousand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from lianzao.foundation import audit, packing, registry, words
from lianzao.foundation.actor import Actor
from lianzao.foundation.command import Command, command
from lianzao.foundation.entity import ExternalId
from lianzao.foundation.resource import Resource
from lianzao.foundation.transfer import mapping as mappings
from lianzao.foundation.transfer import orders, reading
from lianzao.foundation.transfer.columns import BadCell, Column, Reading, of_model
from lianzao.foundation.transfer.orders import BULK, bulk
from lianzao.foundation.transfer.reading import Line, Table
from lianzao.foundation.transfer.upsert import Counts, Record, RowError, Upsert
from lianzao.foundation.transfer.writing import export_rows, type_of
from lianzao.values.errors import DomainError, Invalid, NotAllowed, NotFound

__all__ = ["BULK", "ImportResult", "RowError", "bulk", "check_mapping", "export_rows", "import_file", "type_of"]

#: How many errors a result lists; the number of all is in `error_count`.
MOST_ERRORS = 500


@dataclass
class ImportResult:
    """What an import did, or would do. `ignored`: headings that fit no field. `mapping`: the one used, as data."""

    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    error_count: int = 0
    errors: list[RowError] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    mapping: dict[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    repeated: bool = False


class _Undo(Exception):
    """Takes back all an import wrote."""


@command(hidden=True)
def import_file(
    by: Actor,
    *,
    kind: str,
    data: bytes,
    filename: str = "",
    mapping: dict[str, Any] | None = None,
    dry_run: bool = True,
) -> ImportResult:
    """Import a file of a kind: a resource, a command (one order for each group of rows), or a room's bulk history.

    Without a mapping it is guessed from the headings. A dry run does everything and takes it back. If any row is wrong
    nothing is imported, unless the mapping says {"errors": "skip"}. A record that is equal is not written; the result
    counts it as unchanged. Rows a file leaves out stay as they are. Raises NotAllowed, NotFound for an unknown kind,
    and Invalid for a file or mapping that cannot be read at all.
    """
    given = mapping or {}
    job = _Job(by, kind, given)
    header_row = given.get("header_row", 0)
    table = reading.read(data, filename, sheet=str(given.get("sheet", "")), header_row=_whole(header_row))
    known = _Known(kind, data, given) if job.hook is not None else None
    if known is not None and known.exists():
        return ImportResult(rows=len(table.lines), unchanged=len(table.lines), dry_run=dry_run, repeated=True)
    result = ImportResult()
    try:
        with orders.undone_on_error():
            result = job.result(table)
            stopped = result.error_count > 0 and not (job.plan.skip_errors and all(each.row for each in job.errors))
            if dry_run or stopped:
                raise _Undo
            if known is not None:
                known.remember()
    except _Undo:
        if not dry_run:
            result.created = result.changed = 0
    result.dry_run = dry_run
    return result


def check_mapping(by: Actor, kind: str, mapping: Mapping[str, Any]) -> None:
    """Refuse a mapping that does not fit its kind, before any file is there. Raises as `import_file` would."""
    job = _Job(by, kind, mapping)
    mappings.read(mapping, kind, job.fields, job.parts)


def came_in_before(kind: str, data: bytes, mapping: dict[str, Any]) -> bool:
    """Whether this very file of bulk history came in already, so that it would change nothing."""
    return _Known(kind, data, mapping).exists()


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Invalid("malformed", field="mapping.header_row", reason=str(value))
    return value


@contextmanager
def _settled_alone() -> Iterator[int]:
    """What rooms put off to the end of the order belongs to this file alone, and is settled with it."""
    order = audit.must_run()
    kept, order.memory = order.memory, {}
    try:
        yield len(order.before_end)
    finally:
        order.memory = kept


class _Known:
    """Which files of bulk history came in already, by digest: an external id of the order that brought them."""

    def __init__(self, kind: str, data: bytes, mapping: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(packing.dumps(mapping) + b"\0" + data).hexdigest()
        self.row = {"entity_kind": kind, "system": "file", "key": digest}

    def exists(self) -> bool:
        return ExternalId.objects.filter(**self.row).exists()

    def remember(self) -> None:
        ExternalId.objects.create(**self.row, entity_id=audit.must_run().id)


class _Job:
    """One file: which kind it is, how its columns are understood, what became of its rows."""

    def __init__(self, by: Actor, kind: str, given: Mapping[str, Any]) -> None:
        registry.load()
        self.by, self.kind, self.given = by, kind, given
        self.errors: list[RowError] = []
        self.resource: Resource | None = registry.RESOURCES.get(kind)
        self.command: Command[Any, Any] | None = registry.COMMANDS.get(kind)
        self.hook = BULK.get(kind)
        self.fields, self.parts = self._columns()
        self.plan = mappings.Plan(kind=kind, fields={})

    def _columns(self) -> tuple[list[Column], dict[str, list[Column]]]:
        if self.hook is not None:
            self._need(self.hook.right)
            return self.hook.columns, {}
        if self.resource is not None and self.resource.writable_names:
            self._need(self.resource.view_right)
            return _resource_columns(self.resource), {
                name: _part_columns(self.resource, name)
                for name in self.resource.parts
                if _part_resource(self.resource, name)
            }
        if self.command is not None and not self.command.hidden:
            self._need(self.command.right)
            return orders.command_columns(self.command)
        raise NotFound("no_such_kind", kind=self.kind)

    def _need(self, right: str) -> None:
        if not self.by.may(right):
            raise NotAllowed("not_allowed", right=right)

    def result(self, table: Table) -> ImportResult:
        """Read, write, and say what happened."""
        said = any(self.given.get(name) for name in ("fields", "parts"))
        if said:
            self.plan = mappings.read(self.given, self.kind, self.fields, self.parts)
        else:
            read = mappings.read(self.given, self.kind, self.fields, self.parts)
            guess = mappings.guessed(self.kind, table.headings, self.fields, self.parts)
            self.plan = mappings.Plan(
                **{**read.__dict__, "fields": guess.fields, "parts": guess.parts, "ignored": guess.ignored}
            )
        self._check_headings(table)
        lines = [line for line in table.lines if not self.plan.skips(line)]
        how = Reading(self.by.language, self.plan.time_zone, table.decimal_comma)
        try:
            with _settled_alone() as already, transaction.atomic():
                counts = self._carried_out(lines, how)
                self._rules_of_the_whole(already)
        except IntegrityError as error:
            # What the rooms' rules did not name, the database still refuses.
            reason = str(error).splitlines()[0][:200]
            self.errors.append(RowError(None, "", "not_consistent", facts={"reason": reason}))
            counts = Counts()
        return self._told(len(lines), counts)

    def _check_headings(self, table: Table) -> None:
        used = [self.plan.fields, *self.plan.parts.values()]
        for sources in used:
            for name, source in sources.items():
                for column in source.columns:
                    if column not in table.headings:
                        raise Invalid("no_such_heading", field=f"mapping.fields.{name}", heading=column)
        if not any(used):
            raise Invalid("no_heading_fits", field="file", headings=", ".join(table.headings[:20]))

    def _carried_out(self, lines: Sequence[Line], how: Reading) -> Counts:
        system = self.plan.system or orders.FILES
        typing_ = orders.Typing(self.by, how, self.errors, system)
        if self.hook is not None:
            return orders.run_bulk(self.by, self.hook, lines, self.plan.fields, typing_)
        if self.resource is not None:
            return self._upsert(self.resource, lines, how)
        assert self.command is not None
        return orders.run_command(
            self.command, self.by, self._groups(lines), self.plan.fields, self.plan.parts, typing_
        )

    # -- commands: lines of one order --

    def _groups(self, lines: Sequence[Line]) -> list[orders.Group]:
        if self.plan.external_key is None and not self.plan.key:
            raise Invalid("field_missing", field="mapping.key")
        found: dict[str, orders.Group] = {}
        for line in lines:
            key = self._key_text(line)
            if not key:
                self.errors.append(RowError(line.number, self.plan.key[0] if self.plan.key else "", "field_missing"))
                continue
            found.setdefault(key, orders.Group([], key)).lines.append(line)
        return list(found.values())

    def _key_text(self, line: Line) -> str:
        if self.plan.external_key is not None:
            return mappings.as_text(self.plan.external_key.cell(line))
        # The key of a command's rows is made of headings: it need not be a parameter.
        parts = [mappings.as_text(line.cells.get(name)) for name in self.plan.key]
        return " / ".join(parts) if all(parts) else ""

    # -- resources: records, and the parts of each --

    def _upsert(self, resource: Resource, lines: Sequence[Line], how: Reading) -> Counts:
        upsert = Upsert(self.by, resource, how, self.errors)
        upsert.key = self.plan.key or upsert.key
        missing = [name for name in upsert.key if name not in self.plan.fields]
        if missing and self.plan.external_key is None:
            raise Invalid("key_without_heading", field="mapping.key", key=", ".join(missing))
        records, members = self._records(lines, upsert.key)
        lookups = {name: source.lookup for name, source in self.plan.fields.items()}
        counts = upsert.run(records, system=self.plan.system, lookups=lookups)
        for part, sources in self.plan.parts.items():
            more = self._upsert_parts(resource, part, sources, records, members, how)
            counts.created += more.created
            counts.changed += more.changed
            counts.unchanged += more.unchanged
        return counts

    def _records(self, lines: Sequence[Line], key: Sequence[str]) -> tuple[list[Record], list[list[Line]]]:
        """One record for each line, or, if the file brings parts, for each group of lines with one key.

        Where only the first line of a group names it (as people write it, or in merged cells), the rest belong to it.
        """
        records: list[Record] = []
        members: list[list[Line]] = []
        places: dict[Any, int] = {}
        for line in lines:
            record = self._record(line)
            if record is None:
                continue
            name = record.external or tuple(mappings.as_text(record.cells.get(each)) for each in key)
            nameless = not record.external and not any(name)
            place = len(records) - 1 if nameless and records else places.get(name)
            if not self.plan.parts or place is None:
                places[name] = len(records)
                records.append(record)
                members.append([line])
                continue
            members[place].append(line)
            self._same_head(records[place], record)
        return records, members

    def _record(self, line: Line) -> Record | None:
        cells: dict[str, Any] = {}
        fine = True
        for name, source in self.plan.fields.items():
            try:
                cells[name] = source.cell(line)
            except BadCell as error:
                self.errors.append(RowError(line.number, name, error.code, facts=error.facts))
                fine = False
        external = ""
        if self.plan.external_key is not None:
            external = mappings.as_text(self.plan.external_key.cell(line))
        return Record(line.number, cells, external) if fine else None

    def _same_head(self, first: Record, other: Record) -> None:
        for name, cell in other.cells.items():
            if cell is not None and mappings.as_text(cell) != mappings.as_text(first.cells.get(name)):
                self.errors.append(
                    RowError(
                        other.row, name, "differs_within_group", facts={"other": first.row, "value": str(cell)[:80]}
                    )
                )

    def _upsert_parts(
        self,
        resource: Resource,
        part: str,
        sources: Mapping[str, mappings.Source],
        records: Sequence[Record],
        members: Sequence[Sequence[Line]],
        how: Reading,
    ) -> Counts:
        own = _part_resource(resource, part)
        assert own is not None
        parent = _parent_field(resource, part)
        upsert = Upsert(self.by, own, how, self.errors)
        counter = _counter(own, upsert.key, parent, sources)
        rows: list[Record] = []
        for record, lines in zip(records, members, strict=True):
            if record.entity is None:
                continue
            place = 0
            for line in lines:
                cells = self._part_cells(line, sources)
                if cells is None or all(cell is None for cell in cells.values()):
                    continue
                place += 10
                if counter:
                    cells[counter] = place
                rows.append(Record(line.number, {parent: record.entity, **cells}))
        return upsert.run(rows, system=self.plan.system, lookups={name: one.lookup for name, one in sources.items()})

    def _part_cells(self, line: Line, sources: Mapping[str, mappings.Source]) -> dict[str, Any] | None:
        try:
            return {name: source.cell(line) for name, source in sources.items()}
        except BadCell as error:
            self.errors.append(RowError(line.number, "", error.code, facts=error.facts))
            return None

    # -- the end --

    def _rules_of_the_whole(self, already: int) -> None:
        """Rules over all rows (circles, overlaps), which rooms put off to the end: so that a dry run tells them too."""
        order = audit.must_run()
        steps = order.before_end[already:]
        del order.before_end[already:]
        try:
            for step in steps:
                step()
        except DomainError as error:
            self.errors.append(RowError(error.row, error.field or "", error.code, facts=dict(error.facts)))

    def _title(self, name: str) -> str:
        every = [*self.fields, *(column for columns in self.parts.values() for column in columns)]
        return next((column.title(self.by.language) for column in every if column.name == name), name)

    def _told(self, rows: int, counts: Counts) -> ImportResult:
        self.errors.sort(key=lambda error: (error.row or 0, error.field))
        for error in self.errors[:MOST_ERRORS]:
            facts = {"field": self._title(error.field), **error.facts}
            error.detail = words.say(f"error.{error.code}", self.by.language, **facts)
        return ImportResult(
            rows=rows,
            created=counts.created,
            changed=counts.changed,
            unchanged=counts.unchanged,
            error_count=len(self.errors),
            errors=self.errors[:MOST_ERRORS],
            ignored=list(self.plan.ignored),
            mapping=self.plan.told(),
        )


def _resource_columns(resource: Resource) -> list[Column]:
    names = dict.fromkeys([*resource.column_names, *resource.writable_names, "id"])
    found = {column.name: column for column in (of_model(resource.model, name) for name in names)}
    return list(found.values())


def _part_resource(resource: Resource, part: str) -> Resource | None:
    """The resource of a document's rows, if they can be written by themselves."""
    own = registry.RESOURCES.get(registry.kind_of(resource.part_models[part]))
    return own if own is not None and own.writable else None


def _parent_field(resource: Resource, part: str) -> str:
    relation: Any = resource.model._meta.get_field(part)
    return relation.field.name


def _part_columns(resource: Resource, part: str) -> list[Column]:
    own = _part_resource(resource, part)
    assert own is not None
    parent = _parent_field(resource, part)
    return [of_model(own.model, name) for name in own.writable_names if name != parent]


def _counter(own: Resource, key: Sequence[str], parent: str, sources: Mapping[str, Any]) -> str:
    """The number of a row within its document, if the file leaves it out: then the order of the lines counts."""
    rest = [name for name in key if name != parent and name not in sources]
    return rest[0] if len(rest) == 1 and of_model(own.model, rest[0]).kind == "whole" else ""
