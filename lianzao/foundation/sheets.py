"""Many rows of a list changed as in a spreadsheet: tried first, each mistake told at its cell, then written together.

The cells are changed by commands: the generic change of a kind, or a room's own command about a record that asks for
just that column (a new date, a priority). Rows without a record are made by the kind's own `create`. Whatever is wrong
with one row, nothing of the others is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, models, transaction

from lianzao.foundation import audit, lists, rowsecurity, scope, words
from lianzao.foundation.actor import ALL, Actor
from lianzao.foundation.command import Command, checked, command, refused_by_database
from lianzao.foundation.entity import Entity
from lianzao.foundation.registry import COMMANDS, RESOURCES, kind_of
from lianzao.foundation.resource import Resource
from lianzao.foundation.transfer.columns import BadCell, Column, Reading, of_model, parsed
from lianzao.foundation.transfer.lookups import references
from lianzao.foundation.transfer.orders import undone_on_error
from lianzao.foundation.transfer.upsert import natural_key
from lianzao.values.errors import DomainError, Invalid, NotAllowed, NotFound

#: Rows of one sheet.
MOST = 1000


@dataclass(frozen=True)
class SheetRow:
    """A row: the record it is about and the version that was read, or none for a new one; its cells by column.

    A cell is a value as the list tells it, or a text as somebody typed it: a number with its separators, a day, a
    choice by its word, a record by its code.
    """

    cells: dict[str, Any]
    id: UUID | None = None
    version: int | None = None


@dataclass
class CellError:
    """What is wrong at a cell; without a field, with the whole row."""

    field: str
    code: str
    detail: str = ""
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass
class RowResult:
    """What became of a row, or would: new, changed, same or refused. `before` and `after` as the list shows them."""

    state: str = "same"
    id: UUID | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    errors: list[CellError] = dataclasses.field(default_factory=list)


@dataclass
class SheetResult:
    """What became of the sheet. `written` says whether anything was; `errors` are those of no single row."""

    rows: list[RowResult] = dataclasses.field(default_factory=list)
    errors: list[CellError] = dataclasses.field(default_factory=list)
    error_count: int = 0
    dry_run: bool = True
    written: bool = False


class _Undo(Exception):
    """Takes back all that was written."""


@command(hidden=True)
def change_sheet(
    by: Actor, *, kind: str, rows: list[SheetRow], dry_run: bool = True, decimal_comma: bool = False
) -> SheetResult:
    """Change or make many records of a kind together, or try it: every mistake is told with its row and column.

    A row is written by the commands that may change its columns, under your own rights. If any row is wrong nothing is
    written. A row without an id is looked for by its natural key, and made when there is none. Raises NotFound for an
    unknown kind, Invalid for too many rows.
    """
    resource = RESOURCES.get(kind)
    if resource is None:
        raise NotFound("no_such_kind", kind=kind)
    if not by.may(resource.view_right):
        raise NotAllowed("not_allowed", right=resource.view_right)
    if len(rows) > MOST:
        raise Invalid("too_many", field="rows", most=MOST)
    sheet = _Sheet(by, resource, Reading(language=by.language, decimal_comma=decimal_comma))
    result = SheetResult(dry_run=dry_run)
    try:
        with undone_on_error():
            result = sheet.carried_out(rows)
            result.dry_run = dry_run
            if dry_run or result.error_count:
                raise _Undo
            result.written = any(each.state in ("new", "changed") for each in result.rows)
    except _Undo:
        result.written = False
    return result


@dataclass(frozen=True)
class Editor:
    """A command that changes a column: the parameter that names the record, and the one that takes the value."""

    command: Command[Any, Any]
    subject: str
    parameter: str


def editors_of(resource: Resource) -> dict[str, Editor]:
    """By which command each column of a list can be changed in its cell, whoever asks."""
    found: dict[str, Editor] = {}
    for made in COMMANDS.values():
        if made.subject != resource.kind or (made.hidden and not _generic(made, resource)):
            continue
        subject = next(
            (each for each in made.parameters if each.entity is resource.model and not each.many and each.required),
            None,
        )
        if subject is None:
            continue
        rest = [each for each in made.parameters if each is not subject and each.shape is None and not each.many]
        needed = [each for each in made.parameters if each.required and each is not subject]
        for each in rest:
            name = _column_name(resource, each.name)
            if name is None:
                continue
            alone = [one.name for one in needed] == [each.name]
            if _generic(made, resource) and not needed:
                found[name] = Editor(made, subject.name, each.name)
            elif alone:
                found.setdefault(name, Editor(made, subject.name, each.name))
    return found


def _generic(made: Command[Any, Any], resource: Resource) -> bool:
    return made.room == resource.room and made.name == f"change_{resource.entity}"


def _column_name(resource: Resource, parameter: str) -> str | None:
    """The column of the list that a parameter is, by its name in answers."""
    for name in (*resource.column_names, *resource.writable_names):
        column = resource.field(name)
        if parameter in (column.name, column.attname):
            return column.name if isinstance(column, models.ForeignKey) else column.attname
    return None


def editable(by: Actor, resource: Resource) -> dict[str, str]:
    """The columns a person may change in their cells, with the command that does it."""
    unseen = lists.unseen_by(by, resource)
    return {
        name: each.command.key
        for name, each in editors_of(resource).items()
        if by.may(each.command.right) and name not in unseen
    }


class _Sheet:
    """The rows of one sheet on their way."""

    def __init__(self, by: Actor, resource: Resource, how: Reading) -> None:
        self.by, self.resource, self.how = by, resource, how
        self.editors = editors_of(resource)
        self.unseen = lists.unseen_by(by, resource)
        self.key = natural_key(resource)
        self.columns: dict[str, Column] = {}
        for name in dict.fromkeys((*resource.column_names, *resource.writable_names)):
            made = of_model(resource.model, name)
            told = resource.field(name)
            self.columns[told.name if isinstance(told, models.ForeignKey) else told.attname] = made
        self.creator = COMMANDS.get(f"{resource.room}.create_{resource.entity}")

    def carried_out(self, rows: Sequence[SheetRow]) -> SheetResult:
        """Every row in turn, each behind a savepoint of its own, and the rules over all of them at the end."""
        results = [RowResult(id=each.id) for each in rows]
        typed = [self._typed(row, result) for row, result in zip(rows, results, strict=True)]
        self._refer(typed, results)
        self._recognise(rows, typed, results)
        before = self._told([each.id for each in results if each.id is not None])
        for result in results:
            result.before = before.get(result.id) if result.id is not None else None
        with _put_off() as steps:
            for row, values, result in zip(rows, typed, results, strict=True):
                if not result.errors:
                    self._carry_out(row, values, result)
            told = self._of_the_whole(steps)
        after = self._told([each.id for each in results if each.id is not None])
        for result in results:
            result.after = after.get(result.id) if result.id is not None else None
            if result.errors:
                result.state, result.after = "refused", None
                if result.before is None:
                    result.id = None
            elif result.state == "changed" and _same(result.before, result.after):
                result.state = "same"
        wrong = len(told) + sum(1 for each in results if each.errors)
        return SheetResult(results, told, wrong)

    # -- cells into values --

    def _typed(self, row: SheetRow, result: RowResult) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, cell in row.cells.items():
            column = self.columns.get(name)
            if column is None or name in self.unseen:
                self._refuse(result, name, "unknown_field")
                continue
            if isinstance(cell, Mapping) and "id" in cell:  # a reference as a list tells it
                cell = cell["id"]
            if cell is None or (isinstance(cell, str) and not cell.strip()):
                values[name] = None if column.null or column.kind not in ("text", "list") else ""
                continue
            if isinstance(cell, (Mapping, list)) and column.kind not in ("json", "list"):
                self._refuse(result, name, "malformed")
                continue
            if isinstance(cell, (Mapping, list)):
                values[name] = cell
                continue
            try:
                values[name] = parsed(column, cell, self.how)
            except BadCell as error:
                self._refuse(result, name, error.code, **error.facts)
        return values

    def _refer(self, typed: Sequence[dict[str, Any]], results: Sequence[RowResult]) -> None:
        """Codes, numbers and ids into records this person may see: one or two statements for a column."""
        for name, column in self.columns.items():
            if column.kind != "reference" or column.model is None:
                continue
            wanted = {str(values[name]) for values in typed if values.get(name) is not None}
            if not wanted:
                continue
            found = references(self.by, column, wanted, "", "")
            ids = {text for text in wanted - set(found) if _is_id(text)}
            if ids:
                by_id = Column(**{**column.__dict__, "by": "id"})
                found |= references(self.by, by_id, ids, "", "")
            for values, result in zip(typed, results, strict=True):
                if values.get(name) is None:
                    continue
                record = found.get(str(values[name]))
                foreign = (
                    record is not None and column.site and self.by.sites is not ALL and record.pk not in self.by.sites
                )
                if record is None or foreign:
                    kind = kind_of(column.model)
                    code = "foreign_site" if foreign else "no_such_record"
                    self._refuse(result, name, code, value=str(values[name])[:80], entity=kind)
                else:
                    values[name] = record.pk

    def _recognise(
        self, rows: Sequence[SheetRow], typed: Sequence[dict[str, Any]], results: Sequence[RowResult]
    ) -> None:
        """Rows that name no record are looked for by their natural key; one key may stand in a sheet once."""
        if not set(self.key) <= set(self.columns) or self.key == ("id",):
            return
        named: dict[tuple[str, ...], int] = {}
        wanted: list[int] = []
        for place, (row, values) in enumerate(zip(rows, typed, strict=True)):
            if row.id is not None or any(values.get(name) in (None, "") for name in self.key):
                continue
            key = tuple(str(values[name]) for name in self.key)
            if key in named:
                self._refuse(results[place], self.key[-1], "row_twice", other=named[key] + 1)
            else:
                named[key] = place
                wanted.append(place)
        if not wanted:
            return
        paths = [self.columns[name].source.attname for name in self.key]  # type: ignore[union-attr]
        conditions = models.Q()
        for place in wanted:
            conditions |= models.Q(**dict(zip(paths, (typed[place][name] for name in self.key), strict=True)))
        known = {
            tuple(str(each) for each in key): id
            for id, *key in scope.visible(self.by, self.resource.model).filter(conditions).values_list("pk", *paths)
        }
        for place in wanted:
            results[place].id = known.get(tuple(str(typed[place][name]) for name in self.key))

    # -- values into orders --

    def _carry_out(self, row: SheetRow, values: dict[str, Any], result: RowResult) -> None:
        try:
            with undone_on_error():
                if result.id is None:
                    self._make(values, result)
                else:
                    self._change(row, values, result)
        except DomainError as error:
            self._refuse(result, self._named(error.field), error.code, **error.facts)
        except IntegrityError as error:
            known = refused_by_database(error)
            reason = str(error).splitlines()[0][:200]
            if known is None:
                self._refuse(result, "", "not_consistent", reason=reason)
            else:
                self._refuse(result, self._named(known.field), known.code, **known.facts)

    def _make(self, values: dict[str, Any], result: RowResult) -> None:
        if self.creator is None or not self.by.may(self.creator.right):
            raise NotAllowed("no_new_rows")
        names = {_column_name(self.resource, each.name): each.name for each in self.creator.parameters}
        body = {names[name]: value for name, value in values.items() if name in names and value is not None}
        unfit = next((name for name, value in values.items() if name not in names and value is not None), None)
        if unfit is not None:
            raise Invalid("column_is_read_only", field=unfit)
        made = self.creator.as_step(checked(self.creator, body))
        result.state = "new"
        result.id = made.id if isinstance(made, Entity) else None

    def _change(self, row: SheetRow, values: dict[str, Any], result: RowResult) -> None:
        assert result.id is not None
        if result.before is None:
            raise NotFound("not_found", entity=self.resource.kind, id=str(result.id))
        bodies: dict[str, tuple[Editor, dict[str, Any]]] = {}
        for name, value in values.items():
            editor = self.editors.get(name)
            if row.id is None and name in self.key:
                continue  # the key that found the record
            if _equals(result.before.get(name), value):
                continue
            if editor is None or not self.by.may(editor.command.right):
                raise Invalid("column_is_read_only", field=name)
            bodies.setdefault(editor.command.key, (editor, {editor.subject: result.id}))[1][editor.parameter] = value
        version = row.version
        for editor, body in bodies.values():
            versions = {result.id: version} if version is not None else {}
            answer = editor.command.as_step(checked(editor.command, body), versions=versions)
            if version is not None:  # what the first command wrote is no stranger's change for the second
                version = answer.version if isinstance(answer, Entity) and answer.pk == result.id else None
            result.state = "changed"

    def _named(self, name: str | None) -> str:
        """The column that an error's field is."""
        plain = (name or "").rpartition(".")[2]
        return _column_name(self.resource, plain) or ("" if plain == "body" else plain)

    def _of_the_whole(self, steps: list[Any]) -> list[CellError]:
        """The rules over all rows, which rooms put off to the end: so that a dry run tells them too."""
        try:
            for step in steps:
                step()
        except DomainError as error:
            return [self._error(self._named(error.field), error.code, error.facts)]
        return []

    # -- telling --

    def _told(self, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
        """Rows as the list shows them to this person."""
        if not ids:
            return {}
        columns = lists.columns_of(
            self.resource.model, (*lists.always(self.resource), *scope.columns(self.by, self.resource))
        )
        paths = [path for column in columns for path in column.paths]
        wall = rowsecurity.as_partner(self.by) if self.by.partner is not None else transaction.atomic()
        with wall:
            rows = list(scope.visible(self.by, self.resource.model).filter(pk__in=list(ids)).values_list(*paths))
        told = lists.hidden(self.by, self.resource, lists.cells(rows, columns, self.by.language))
        return {each["id"]: each for each in told}

    def _refuse(self, result: RowResult, name: str, code: str, /, **facts: Any) -> None:
        result.errors.append(self._error(name, code, facts))

    def _error(self, name: str, code: str, facts: Mapping[str, Any]) -> CellError:
        column = self.columns.get(name)
        said = {"field": column.title(self.by.language) if column is not None else name, **facts}
        for each in ("status", "wanted", "entity"):
            if each in said:
                said[each] = words.title(self.by.language, str(said[each]), f"choice.{said[each]}")
        return CellError(name, code, words.say(f"error.{code}", self.by.language, **said), dict(facts))


@contextmanager
def _put_off() -> Iterator[list[Any]]:
    """Gather what rooms put off to the end of the order, so that it is settled with these rows."""
    order = audit.must_run()
    already = len(order.before_end)
    kept, order.memory = order.memory, {}
    steps: list[Any] = _Steps(order, already)
    try:
        yield steps
    finally:
        del order.before_end[already:]
        order.memory = kept


class _Steps(list[Any]):
    """The steps put off since; read when they are wanted."""

    def __init__(self, order: audit.Running, already: int) -> None:
        super().__init__()
        self._order, self._already = order, already

    def __iter__(self) -> Iterator[Any]:
        return iter(self._order.before_end[self._already :])


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _equals(before: Any, value: Any) -> bool:
    """Whether a cell holds this value already."""
    if isinstance(before, Mapping):
        before = before.get("id")
    if before is None or value is None:
        return before in (None, "") and value in (None, "")
    if isinstance(before, str) and not isinstance(value, str):
        try:
            return type(value)(before) == value
        except (ArithmeticError, ValueError, TypeError):
            return False
    return bool(before == value)


def _same(before: dict[str, Any] | None, after: dict[str, Any] | None) -> bool:
    if before is None or after is None:
        return before == after
    return {**before, "version": 0} == {**after, "version": 0}
