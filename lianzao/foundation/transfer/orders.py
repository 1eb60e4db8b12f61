"""Rows as parameters: a file carried out as orders (kind = a command), or as bulk history by a room's own hook."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from lianzao.foundation import audit
from lianzao.foundation import entity as entities
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.command import Command, Parameter, parameters_of_shape
from lianzao.foundation.entity import Entity
from lianzao.foundation.registry import kind_of
from lianzao.foundation.transfer.columns import BadCell, Column, Reading, of_parameter, parsed
from lianzao.foundation.transfer.lookups import batches, references
from lianzao.foundation.transfer.mapping import Source
from lianzao.foundation.transfer.reading import Line
from lianzao.foundation.transfer.upsert import Counts, RowError
from lianzao.values.errors import DomainError

#: The system under which orders from files without an external key are remembered.
FILES = "file"


@dataclass(frozen=True)
class Bulk:
    """A room's hook for history by the hundred thousand: typed rows in, how many were made out."""

    kind: str
    room: str
    right: str
    shape: type[Any]
    function: Callable[[Actor, Sequence[Any]], int]

    @property
    def columns(self) -> list[Column]:
        """The columns a file may bring."""
        owner = self.kind.partition(".")[2]
        return [of_parameter(each, self.room, owner) for each in parameters_of_shape(self.shape)]


BULK: dict[str, Bulk] = {}


def bulk(kind: str, shape: type[Any], *, right: str) -> Callable[[Callable[[Actor, Sequence[Any]], int]], Any]:
    """Declare how a room takes bulk history of a kind: a function of the actor and rows (frozen dataclasses `shape`).

    The function applies the room's own rules, writes with COPY or set-based SQL, raises DomainError (with `row` = the
    place in its rows, from 1) for what is wrong, and answers how many rows it made. It runs inside one order, so the
    audit has one row for the file. The same file again is known by its digest, and makes nothing twice.
    """

    def declare(function: Callable[[Actor, Sequence[Any]], int]) -> Callable[[Actor, Sequence[Any]], int]:
        if kind in BULK and BULK[kind].function is not function:
            raise ValueError(f"two bulk imports are called {kind}")
        BULK[kind] = Bulk(kind, kind.partition(".")[0], right, shape, function)
        return function

    return declare


def command_columns(made: Command[Any, Any]) -> tuple[list[Column], dict[str, list[Column]]]:
    """What a file may bring for a command: its plain parameters, and the fields of its lists of lines."""
    plain = [
        of_parameter(each, made.room, made.name) for each in made.parameters if each.shape is None and not each.many
    ]
    parts = {
        each.name: [of_parameter(part, made.room, made.name) for part in each.fields]
        for each in made.parameters
        if each.shape is not None and each.many
    }
    return plain, parts


class Typing:
    """Cells of many lines into values of parameters, references looked up together."""

    def __init__(self, by: Actor, how: Reading, errors: list[RowError], system: str) -> None:
        self.by, self.how, self.errors, self.system = by, how, errors, system

    def typed(
        self, lines: Sequence[Line], columns: Sequence[Column], sources: Mapping[str, Source]
    ) -> list[dict[str, Any] | None]:
        """For each line its values by name, None where something is wrong (remembered in `errors`)."""
        by_name = {column.name: column for column in columns}
        found: list[dict[str, Any] | None] = []
        for line in lines:
            values: dict[str, Any] | None = {}
            for name, source in sources.items():
                try:
                    cell = source.cell(line)
                    if cell is not None and cell != "" and values is not None:
                        values[name] = parsed(by_name[name], cell, self.how)
                except BadCell as error:
                    self.refuse(line.number, name, error.code, **error.facts)
                    values = None
            for column in columns:
                if values is not None and column.required and column.name not in values:
                    self.refuse(line.number, column.name, "field_missing")
                    values = None
            found.append(values)
        for name, source in sources.items():
            if by_name[name].kind == "reference":
                self._refer(lines, found, by_name[name], source.lookup)
        return found

    def _refer(self, lines: Sequence[Line], rows: list[dict[str, Any] | None], column: Column, lookup: str) -> None:
        wanted = {row[column.name] for row in rows if row is not None and column.name in row}
        records = references(self.by, column, wanted, lookup, self.system)
        for place, row in enumerate(rows):
            if row is None or column.name not in row:
                continue
            record = records.get(row[column.name])
            outside = record is not None and column.site and self.by.sites is not ALL and record.pk not in self.by.sites
            if record is None or outside:
                code = "foreign_site" if outside else "no_such_record"
                kind = kind_of(column.model)  # type: ignore[arg-type]
                self.refuse(lines[place].number, column.name, code, value=row[column.name], entity=kind)
                rows[place] = None
            else:
                row[column.name] = record.pk if column.site else record

    def refuse(self, row: int | None, name: str, code: str, **facts: Any) -> None:
        """Remember what is wrong with a line."""
        self.errors.append(RowError(row, name, code, facts=facts))


def run_bulk(by: Actor, hook: Bulk, lines: Sequence[Line], sources: Mapping[str, Source], typing_: Typing) -> Counts:
    """Give a room its history. Nothing is given if any line is wrong."""
    rows: list[Any] = []
    for batch in batches(lines):
        for values in typing_.typed(batch, hook.columns, sources):
            if values is not None:
                rows.append(hook.shape(**values))
    if typing_.errors:
        return Counts()
    try:
        return Counts(created=hook.function(by, rows))
    except DomainError as error:
        number = lines[error.row - 1].number if error.row is not None and 0 < error.row <= len(lines) else error.row
        typing_.errors.append(RowError(number, error.field or "", error.code, facts=dict(error.facts)))
        return Counts()


@dataclass(frozen=True)
class Group:
    """The lines of one order, and what it is remembered by."""

    lines: list[Line]
    key: str


def run_command(
    made: Command[Any, Any],
    by: Actor,
    groups: Sequence[Group],
    fields: Mapping[str, Source],
    parts: Mapping[str, Mapping[str, Source]],
    typing_: Typing,
) -> Counts:
    """One order for each group of lines. An order whose key is known was carried out before: it is unchanged."""
    counts = Counts()
    columns, part_columns = command_columns(made)
    answer = typing.get_type_hints(made.function).get("return")
    model = answer if isinstance(answer, type) and issubclass(answer, Entity) else None
    known: dict[str, Any] = {}
    if model is not None:
        for batch in batches([group.key for group in groups]):
            known |= entities.by_external_id(model, typing_.system, batch)
    new = [group for group in groups if group.key not in known]
    counts.unchanged = len(groups) - len(new)
    heads = typing_.typed([group.lines[0] for group in new], columns, fields)
    for group, head in zip(new, heads, strict=True):
        body = dict(head) if head is not None else None
        for name, sources in parts.items():
            rows = typing_.typed(group.lines, part_columns[name], sources)
            if body is not None and None not in rows:
                shape = _shape(made, name)
                body[name] = [shape(**row) for row in rows if row is not None]
            else:
                body = None
        if body is None:
            continue
        try:
            with undone_on_error():
                result = made(by, **body)
        except DomainError as error:
            row = (
                group.lines[error.row - 1].number
                if error.row and error.row <= len(group.lines)
                else group.lines[0].number
            )
            typing_.errors.append(RowError(row, error.field or "", error.code, facts=dict(error.facts)))
            continue
        counts.created += 1
        if isinstance(result, Entity):
            entities.set_external_id(result, typing_.system, group.key)
    return counts


@contextmanager
def undone_on_error() -> Iterator[None]:
    """Take back what is done inside when it fails: rows, and what the running order was to tell of them."""
    order = audit.must_run()
    kept = (len(order.changes), len(order.steps), len(order.news), len(order.links), len(order.before_end))
    touched, memory = dict(order.touched), dict(order.memory)
    try:
        with transaction.atomic():
            yield
    except BaseException:
        for told, length in zip(
            (order.changes, order.steps, order.news, order.links, order.before_end), kept, strict=True
        ):
            del told[length:]
        order.touched, order.memory = touched, memory
        raise


def _shape(made: Command[Any, Any], name: str) -> type[Any]:
    parameter: Parameter = next(each for each in made.parameters if each.name == name)
    assert parameter.shape is not None
    return parameter.shape
