"""An order ("command") is one typed function: its signature is the schema, its name the route and the right.

    @command
    def confirm_order(by, *, order: SalesOrder, promised_on: date | None = None) -> SalesOrder: ...

Authorise → one transaction → lock the named rows in a fixed order → run → write audit and events → commit. A command
called inside another joins it. The client makes the order id: a second try is given the first one's answer.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import logging
import re
import threading
import types
import typing
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property, update_wrapper
from time import perf_counter
from typing import Annotated, Any, Generic, ParamSpec, TypeVar, overload
from uuid import UUID

import pydantic
from django.apps import apps
from django.conf import settings
from django.db import OperationalError, connection, models, transaction
from django.db.utils import IntegrityError
from psycopg import errors as pg
from pydantic_core import PydanticCustomError

from lianzao.foundation import audit, clock, fetching, figures, outbox, packing, tracing
from lianzao.foundation.actor import Actor
from lianzao.foundation.entity import Entity, query
from lianzao.foundation.registry import COMMANDS, kind_of, model_of, room_of
from lianzao.foundation.trail import note, some_trail
from lianzao.values.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound
from lianzao.values.reference import Ref
from lianzao.values.text import has_unprintable
from lianzao.values.time import is_plausible, uuid7

log = logging.getLogger("lianzao.command")
P = ParamSpec("P")
R = TypeVar("R")

#: Annotated[Lot, READ]: named, but not locked.
READ = "read"
TRIES = 3
RETRIED = (pg.DeadlockDetected, pg.SerializationFailure)
#: A command that takes longer is told in the log and counted; the setting SLOW_COMMAND_S says otherwise.
SLOW_S = 1.0

CARRIED_OUT = figures.Counter(
    "lianzao_commands_total",
    "Orders by command and outcome: done, replayed (a known order id), refused (an expected error), failed (a bug).",
    ("command", "outcome"),
)
TOOK = figures.Histogram(
    "lianzao_command_seconds", "How long orders took, with waiting for locks and commit, by command.", ("command",)
)
SLOW = figures.Counter(
    "lianzao_slow_commands_total", "Orders that took longer than LIANZAO_SLOW_MS, by command.", ("command",)
)
AGAIN = figures.Counter(
    "lianzao_command_retries_total", "Orders tried again after a deadlock or collision, by command.", ("command",)
)


class _Unset:
    """The default of a parameter that was not given at all (a change leaves that column alone)."""

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET = _Unset()


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, what it holds, whether it is many, may be missing, and its default.

    `entity` is set for records given by id, `shape` for frozen dataclasses (lines), `scalar` for plain values.
    """

    name: str
    annotation: Any
    entity: type[Entity] | None = None
    shape: type[Any] | None = None
    scalar: Any = None
    many: bool = False
    optional: bool = False
    locks: bool = False
    default: Any = inspect.Parameter.empty
    column: models.Field[Any, Any] | None = None

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty

    @cached_property
    def fields(self) -> list[Parameter]:
        """The fields of a shape."""
        return [] if self.shape is None else parameters_of_shape(self.shape)


def parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> Parameter:
    """Read an annotation."""
    locks: bool | None = None
    optional = many = False
    inner = annotation
    while True:
        origin = typing.get_origin(inner)
        if origin is Annotated:
            inner, *marks = typing.get_args(inner)
            if READ in marks:
                locks = False
        elif origin in (types.UnionType, typing.Union):
            rest = [arg for arg in typing.get_args(inner) if arg not in (type(None), _Unset)]
            optional = optional or type(None) in typing.get_args(inner)
            if len(rest) != 1:
                break
            inner = rest[0]
        elif origin in (list, tuple, Sequence):
            many = True
            inner = typing.get_args(inner)[0]
        else:
            break
    entity = shape = None
    if isinstance(inner, type) and issubclass(inner, Entity):
        entity = inner
        locks = entity.locks if locks is None else locks
    elif isinstance(inner, type) and dataclasses.is_dataclass(inner) and inner is not Ref:
        shape = inner
    return Parameter(
        name, annotation, entity, shape, None if entity or shape else inner, many, optional, bool(locks), default
    )


def parameters_of_shape(shape: type[Any]) -> list[Parameter]:
    """The fields of a frozen dataclass, read as parameters."""
    hints = typing.get_type_hints(shape, include_extras=True)
    made: list[Parameter] = []
    for part in dataclasses.fields(shape):
        default: Any = inspect.Parameter.empty
        if part.default is not dataclasses.MISSING:
            default = part.default
        elif part.default_factory is not dataclasses.MISSING:
            default = part.default_factory()
        made.append(parameter(part.name, hints[part.name], default))
    return made


class Body(pydantic.BaseModel):
    """Bodies of commands: unknown fields are refused."""

    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)


def _known_kind(value: str) -> str:
    try:
        model_of(value)
    except (KeyError, LookupError, ValueError):
        raise PydanticCustomError("no_such_kind", "no such kind") from None
    return value


class RefBody(Body):
    """A reference to any document."""

    kind: Annotated[str, pydantic.Field(max_length=80), pydantic.AfterValidator(_known_kind)]
    id: UUID


def _printable(value: str) -> str:
    """Refuse signs that no paper shows: PostgreSQL cannot keep NUL, and the rest hide in screens and files."""
    if has_unprintable(value):
        raise PydanticCustomError("unprintable", "signs that cannot be printed")
    return value


def _printable_within(value: Any) -> Any:
    """The same for whatever stands inside a free JSON value."""
    if isinstance(value, str):
        _printable(value)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _printable_within(name)
            _printable_within(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _printable_within(inner)
    return value


def _said_as_date(value: Any) -> Any:
    """Pydantic takes a bare number for seconds since 1970: 20260302 would become a day in August of that year."""
    if isinstance(value, (int, float)) or (isinstance(value, str) and not re.search(r"\d[-T:]\d", value)):
        raise PydanticCustomError("date_parsing", "a day is written 2026-03-02")
    return value


def _said_as_instant(value: Any) -> Any:
    if isinstance(value, (int, float)) or (isinstance(value, str) and not re.search(r"\d[-T:]\d", value)):
        raise PydanticCustomError("datetime_parsing", "an instant is written 2026-03-02T08:00:00+08:00")
    return value


D = TypeVar("D", date, datetime)


def _within_reach(value: D) -> D:
    """Refuse years no plant plans for: reckoning with them runs out of the calendar."""
    if not is_plausible(value):
        raise PydanticCustomError("out_of_calendar", "beyond the calendar")
    return value


def _no_truth(value: Any) -> Any:
    """True is no number, although Python counts it as 1."""
    if isinstance(value, bool):
        raise PydanticCustomError("decimal_type", "a number")
    return value


DECIMAL_SIGNS = pydantic.BeforeValidator(_no_truth)
Printable = pydantic.AfterValidator(_printable)
Number = Annotated[Decimal, pydantic.Field(max_digits=20, decimal_places=6, allow_inf_nan=False), DECIMAL_SIGNS]
Text = Annotated[str, pydantic.Field(max_length=20_000), Printable]
Whole = Annotated[int, pydantic.Field(strict=True, ge=-(2**31), lt=2**31)]
Day = Annotated[date, pydantic.BeforeValidator(_said_as_date), pydantic.AfterValidator(_within_reach)]
Moment = Annotated[
    pydantic.AwareDatetime, pydantic.BeforeValidator(_said_as_instant), pydantic.AfterValidator(_within_reach)
]
Free = Annotated[Any, pydantic.AfterValidator(_printable_within)]
SCALARS: dict[Any, Any] = {
    Decimal: Number,
    str: Text,
    int: Whole,
    date: Day,
    datetime: Moment,
    Ref: RefBody,
    dict[str, Any]: Annotated[dict[str, Any], pydantic.AfterValidator(_printable_within)],
}


def schema_type(of: Parameter) -> Any:
    """The pydantic type of a parameter."""
    kind: Any
    if of.entity is not None:
        kind = UUID
    elif of.shape is not None:
        kind = body_model(of.shape.__name__, of.fields)
    elif of.column is not None:
        kind = column_type(of.column)
    else:
        kind = SCALARS.get(of.scalar, of.scalar)
    if of.many:
        kind = Annotated[list[kind], pydantic.Field(max_length=20_000)]
    return kind | None if of.optional else kind


def column_type(column: models.Field[Any, Any]) -> Any:
    """The pydantic type of a model's column, with its limits."""
    if column.choices:
        values = tuple(value for value, _ in column.flatchoices)  # type: ignore[attr-defined]
        return typing.Literal[*(values + (("",) if column.blank else ()))]
    if isinstance(column, models.DecimalField):
        return Annotated[
            Decimal,
            pydantic.Field(max_digits=column.max_digits, decimal_places=column.decimal_places, allow_inf_nan=False),
            DECIMAL_SIGNS,
        ]
    if isinstance(column, models.CharField):
        return Annotated[
            str, pydantic.Field(max_length=column.max_length or 20_000, min_length=0 if column.blank else 1), Printable
        ]
    for field_class, kind in (
        (models.BooleanField, bool),
        (models.SmallIntegerField, Annotated[int, pydantic.Field(strict=True, ge=-32768, le=32767)]),
        (models.IntegerField, Whole),
        (models.DateTimeField, Moment),
        (models.DateField, Day),
        (models.TimeField, __import__("datetime").time),
        (models.UUIDField, UUID),
        (models.TextField, Text),
    ):
        if isinstance(column, field_class):
            return kind
    if column.__class__.__name__ == "ArrayField":
        return list[column_type(typing.cast(Any, column).base_field)]
    return Free


def body_model(name: str, parameters: Sequence[Parameter]) -> type[Body]:
    """The pydantic model of a body."""
    fields: dict[str, Any] = {}
    for each in parameters:
        default: Any = ...
        if not each.required:
            default = None if each.default is UNSET else each.default
            if isinstance(default, (tuple, frozenset)):
                default = list(default)
        kind = schema_type(each)
        if default is None:
            kind = kind | None
        fields[each.name] = (kind, default)
    return pydantic.create_model(name, __base__=Body, **fields)


@dataclass
class Command(Generic[P, R]):
    """A declared command: callable, and everything that follows from its signature.

    `subject` is the kind of the record it is about, `makes` the kind of the new record it answers with. `offline`: a
    terminal or phone may keep it while the network is away, because nobody needs its answer to go on.
    """

    room: str
    name: str
    right: str
    function: Callable[..., R]
    parameters: list[Parameter]
    manual: str
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hidden: bool = False
    subject: str | None = None
    makes: str | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        update_wrapper(self, self.function)
        if self.subject is None:
            first = next(
                (each for each in self.parameters if each.entity is not None and each.locks and not each.many), None
            )
            self.subject = kind_of(first.entity) if first is not None and first.entity is not None else None

    @property
    def key(self) -> str:
        """ "<room>.<name>"."""
        return f"{self.room}.{self.name}"

    @cached_property
    def body(self) -> type[Body]:
        """The schema of its body."""
        return body_model("".join(word.title() for word in self.key.replace(".", "_").split("_")), self.parameters)

    def __call__(self, *args: P.args, **given: P.kwargs) -> R:
        """Carry it out: alone, or as a step of the order that is running."""
        by = typing.cast(Actor, args[0])
        options = typing.cast("dict[str, Any]", dict(given))
        order_id, why, cause = options.pop("_order_id", None), options.pop("_why", ""), options.pop("_cause", None)
        order = audit.running()
        if order is not None:
            order.steps.append(self.key)
            order.depth += 1
            try:
                return self.function(order.by, **self._resolve(order.by, options, join=True))
            finally:
                order.depth -= 1
        return self.carry_out(by, options, order_id=order_id, why=why, cause=cause)

    def ordered(self, order_id: UUID | None = None, *, why: str = "", cause: Ref | None = None) -> Callable[P, R]:
        """The command as an order with an id, a reason or a cause of its own: `confirm.ordered(tap)(by, order=…)`."""

        def carry_out(*args: P.args, **given: P.kwargs) -> R:
            by = typing.cast(Actor, args[0])
            return self.carry_out(by, typing.cast("dict[str, Any]", given), order_id=order_id, why=why, cause=cause)

        return carry_out

    def carry_out(
        self,
        by: Actor,
        given: Mapping[str, Any],
        *,
        order_id: UUID | None = None,
        why: str = "",
        cause: Ref | None = None,
        versions: Mapping[UUID, int] | None = None,
    ) -> R:
        """Carry it out as an order of its own. The first try's answer is given again when the order id is known."""
        with some_trail():
            note(command=self.key, **({} if order_id is None else {"order": order_id}))
            span = None if tracing.on is None else tracing.on.order(self.key, by.kind, by.site)
            began, outcome, code = perf_counter(), "failed", ""
            try:
                answer = self._tried(by, given, order_id, why, cause, versions or {})
                outcome = "replayed" if isinstance(answer, Replayed) else "done"
                return answer
            except DomainError as error:
                outcome, code = "refused", error.code
                raise
            finally:
                self._measured(perf_counter() - began, outcome)
                if span is not None:
                    span.end(outcome, bad=outcome == "failed", lianzao__code=code)

    def as_step(self, given: Mapping[str, Any], *, versions: Mapping[UUID, int] | None = None) -> R:
        """Carry it out within the running order, for somebody who named it himself: with the checks of a whole order.

        What code calls as a step is trusted; here the right, the reach of every id and the versions are looked at.
        """
        order = audit.must_run()
        if not order.by.may(self.right):
            raise NotAllowed("not_allowed", right=self.right)
        order.steps.append(self.key)
        order.depth += 1
        try:
            resolved = self._resolve(order.by, given, join=False)
            _check_versions(resolved, versions or {})
            return self.function(order.by, **resolved)
        finally:
            order.depth -= 1

    def _measured(self, seconds: float, outcome: str) -> None:
        CARRIED_OUT.count(command=self.key, outcome=outcome)
        TOOK.observe(seconds, command=self.key)
        if seconds >= getattr(settings, "SLOW_COMMAND_S", SLOW_S):
            SLOW.count(command=self.key)
            log.warning("slow: %s took %.3f s (%s)", self.key, seconds, outcome, extra={"seconds": round(seconds, 3)})

    def _tried(
        self,
        by: Actor,
        given: Mapping[str, Any],
        order_id: UUID | None,
        why: str,
        cause: Ref | None,
        versions: Mapping[UUID, int],
    ) -> R:
        if not by.may(self.right):
            raise NotAllowed("not_allowed", right=self.right)
        look = order_id is not None and _SEEN.before(order_id)
        for attempt in range(TRIES):
            try:
                return self._once(by, given, order_id, why, cause, versions, look=look)
            except OperationalError as error:
                if attempt == TRIES - 1 or not isinstance(error.__cause__, RETRIED) or connection.in_atomic_block:
                    raise
                AGAIN.count(command=self.key)
            except (IntegrityError, DomainError) as error:
                # A second try does again what is done, and is refused for it, by the rules or by the order's id.
                known = None if order_id is None else self._known(order_id, by)
                if known is not None:
                    return known
                if isinstance(error, DomainError):
                    raise
                raise refused_by_database(error) or error from error
        raise AssertionError("unreachable")

    def _once(
        self,
        by: Actor,
        given: Mapping[str, Any],
        order_id: UUID | None,
        why: str,
        cause: Ref | None,
        versions: Mapping[UUID, int],
        *,
        look: bool,
    ) -> R:
        with transaction.atomic():
            if order_id is not None and look:
                known = self._known(order_id, by)
                if known is not None:
                    return known
            by = by.at_instant(clock.now())
            order = audit.Running(
                id=order_id or uuid7(), command=self.key, by=by, at=by.now, cause=cause, why=why, body=_told(given)
            )
            note(order=order.id)
            token = audit._running.set(order)
            try:
                resolved = self._resolve(by, given, join=False)
                _check_versions(resolved, versions)
                answer = self.function(by, **resolved)
                if order.before_end:
                    audit.write_last(order)  # the steps read what was written
                for step in order.before_end:
                    step()
                audit.write(order, told_answer(answer), outbox.rows(order))
            finally:
                audit._running.reset(token)
            return answer

    def _known(self, order_id: UUID, by: Actor) -> R | None:
        """The answer of an order that was carried out before. Raises Conflict when the id was another order's."""
        found = query("SELECT command, actor_id, answer FROM foundation_order WHERE id = %s", [order_id])
        if not found:
            return None
        command, actor_id, answer = found[0]
        if command != self.key or actor_id != by.id:
            raise Conflict("order_id_reused", order_id=str(order_id))
        return typing.cast(R, Replayed(packing.loads(answer)))

    def _resolve(self, by: Actor, given: Mapping[str, Any], *, join: bool) -> dict[str, Any]:
        """Ids into records, fetched and locked model by model in a fixed order; defaults filled in."""
        unknown = set(given) - {each.name for each in self.parameters}
        if unknown:
            raise Invalid("unknown_field", field=sorted(unknown)[0])
        for each in self.parameters:
            if each.required and each.name not in given:
                raise Invalid("field_missing", field=each.name)
        wanted: dict[type[Entity], dict[UUID, bool]] = {}
        for each in self.parameters:
            for entity, id, locks in _ids(each, given.get(each.name), join):
                wanted.setdefault(entity, {})[id] = wanted.get(entity, {}).get(id, False) or locks
        found = _fetch(by, wanted, guarded=not join)
        return {
            each.name: _filled(each, given[each.name], found, join) if each.name in given else each.default
            for each in self.parameters
            if each.name in given or each.default is not UNSET
        }


class _Seen:
    """The ids of orders this process was given lately.

    Nearly every order comes once, so that looking for an earlier answer first would be a statement for nothing: its id
    is unique, and tells at the end. Who repeats himself is looked up first from his second try on.
    """

    MOST = 20_000

    def __init__(self) -> None:
        self._ids: OrderedDict[UUID, None] = OrderedDict()
        self._lock = threading.Lock()

    def before(self, order_id: UUID) -> bool:
        """Whether it was given before; it is remembered from now on."""
        with self._lock:
            known = order_id in self._ids
            self._ids[order_id] = None
            self._ids.move_to_end(order_id)
            if len(self._ids) > self.MOST:
                self._ids.popitem(last=False)
            return known

    def forget(self) -> None:
        """Forget all, as another process would know nothing of them."""
        with self._lock:
            self._ids.clear()


_SEEN = _Seen()


class Replayed(dict[str, Any]):
    """The stored answer of an order that was carried out before; reads like the first answer's fields."""

    def __getattr__(self, name: str) -> Any:
        try:
            value = self[name]
        except KeyError:
            raise AttributeError(name) from None
        return UUID(value) if name == "id" else value

    @property
    def entity(self) -> Entity:
        """The record the first answer named, as it stands now."""
        return typing.cast(Entity, model_of(self["kind"])._default_manager.get(pk=self["id"]))


def refused_by_database(error: IntegrityError) -> DomainError | None:
    """What the rooms' rules did not name, the database refused: its constraint by the field it guards, if it tells."""
    cause = error.__cause__
    diag = getattr(cause, "diag", None)
    name, column = getattr(diag, "constraint_name", None), getattr(diag, "column_name", None)
    if isinstance(cause, pg.CheckViolation):
        return Invalid("out_of_range", field=_guarded_by(name) or "body")
    if isinstance(cause, pg.UniqueViolation) and name is not None:
        taken = re.search(r"=\((.*)\)", diag.message_detail or "")  # type: ignore[union-attr]
        return Conflict("already_taken", field=_guarded_by(name) or "body", value=taken[1] if taken else "")
    if isinstance(cause, pg.NotNullViolation) and column is not None:
        return Invalid("field_missing", field=column.removesuffix("_id"))
    return None


def _guarded_by(name: str | None) -> str | None:
    """The field a constraint of the database speaks of: a model's own constraint, or one Django made of a column."""
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if constraint.name != name:
                continue
            if isinstance(constraint, models.UniqueConstraint) and constraint.fields:
                return constraint.fields[-1]
            if isinstance(constraint, models.CheckConstraint):
                known = {each.name for each in model._meta.concrete_fields}
                return next((each for each in _named_in(constraint.condition) if each in known), None)
        for column in model._meta.concrete_fields:
            if name is not None and name.startswith(f"{model._meta.db_table}_{column.column}"[:50]):
                return column.name
    return None


def _named_in(condition: Any) -> Iterator[str]:
    """The columns a condition speaks of, in its order."""
    for part in getattr(condition, "children", ()):
        if isinstance(part, tuple):
            yield str(part[0]).partition("__")[0]
        else:
            yield from _named_in(part)


def _ids(of: Parameter, value: Any, join: bool) -> Iterator[tuple[type[Entity], UUID, bool]]:
    """Which records a value names, by model and id."""
    if value is None or (of.entity is None and of.shape is None):
        return
    for item in value if of.many else [value]:
        if of.entity is not None:
            if isinstance(item, Entity):
                if not join and of.locks:
                    yield of.entity, item.id, True
            elif item is not None:
                yield of.entity, _as_id(of.name, item), of.locks
        else:
            for part in of.fields:
                inner = item.get(part.name) if isinstance(item, Mapping) else getattr(item, part.name)
                yield from _ids(part, inner, join)


def _as_id(name: str, value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    if isinstance(value, Replayed):
        return UUID(value["id"])
    try:
        return UUID(str(value))
    except ValueError:
        raise Invalid("not_an_id", field=name, value=str(value)[:80]) from None


#: Of so many ids at most is a fetch's statement kept; more come from imports, where compiling it does not show.
FEW = 4


def _rows(by: Actor, model: type[Entity], ids: list[UUID], *, guarded: bool, lock: bool) -> list[Entity]:
    """Records of one kind by id, in the order of their ids; guarded: of those the actor may see."""
    from lianzao.foundation import scope

    def build() -> models.QuerySet[Entity]:
        rows = scope.visible(by, model) if guarded else model._default_manager.all()
        rows = rows.filter(pk__in=ids).order_by("pk")
        return rows.select_for_update(of=("self",)) if lock else rows

    if len(ids) > FEW:
        return list(build())
    shape = (model, len(ids), lock, by.reach if guarded else None)
    return fetching.records_of(shape, build, ids)


def _fetch(
    by: Actor, wanted: Mapping[type[Entity], Mapping[UUID, bool]], *, guarded: bool
) -> dict[tuple[type[Entity], UUID], Entity]:
    """Fetch records, limited to what the actor may see; locks are taken in a fixed order (model's name, then id)."""
    from lianzao.foundation import rowsecurity

    found: dict[tuple[type[Entity], UUID], Entity] = {}
    wall = rowsecurity.as_partner(by) if guarded and by.partner is not None else nullcontext()
    with wall:
        for model in sorted(wanted, key=lambda each: each._meta.label):
            ids = wanted[model]
            lock = any(ids.values()) and (by.partner is None or not guarded)
            for entity in _rows(by, model, list(ids), guarded=guarded, lock=lock):
                found[(model, entity.pk)] = entity
    if guarded and by.partner is not None:
        for model in sorted(wanted, key=lambda each: each._meta.label):
            locked = [id for id, locks in wanted[model].items() if locks and (model, id) in found]
            for entity in model._default_manager.filter(pk__in=locked).order_by("pk").select_for_update(of=("self",)):
                found[(model, entity.pk)] = entity
    for model, ids in wanted.items():
        for id in ids:
            if (model, id) not in found:
                raise NotFound("not_found", entity=kind_of(model), id=str(id))
    return found


def _filled(of: Parameter, value: Any, found: Mapping[tuple[type[Entity], UUID], Entity], join: bool) -> Any:
    """A given value with its ids replaced by records and its lines by dataclasses."""
    if value is None:
        if of.optional or of.default is None:
            return None
        raise Invalid("field_missing", field=of.name)
    if of.entity is None and of.shape is None:
        if isinstance(of.scalar, type) and issubclass(of.scalar, enum.Enum) and not isinstance(value, of.scalar):
            return [of.scalar(item) for item in value] if of.many else of.scalar(value)
        if of.scalar is Ref and isinstance(value, Mapping):
            return Ref(value["kind"], UUID(str(value["id"])))
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return value
    if of.many:
        return [_one(of, item, found, join) for item in value]
    return _one(of, value, found, join)


def _one(of: Parameter, item: Any, found: Mapping[tuple[type[Entity], UUID], Entity], join: bool) -> Any:
    if of.entity is not None:
        if isinstance(item, Entity):
            return item if join or not of.locks else found[(of.entity, item.id)]
        return found[(of.entity, _as_id(of.name, item))]
    values: dict[str, Any] = {}
    for part in of.fields:
        missing = isinstance(item, Mapping) and part.name not in item
        if missing and part.required:
            raise Invalid("field_missing", field=f"{of.name}.{part.name}")
        if not missing:
            values[part.name] = _filled(
                part, item[part.name] if isinstance(item, Mapping) else getattr(item, part.name), found, join
            )
    return typing.cast(Any, of.shape)(**values)


def _check_versions(resolved: Mapping[str, Any], versions: Mapping[UUID, int]) -> None:
    """Refuse when somebody changed a record since the caller read it."""
    if not versions:
        return
    for value in resolved.values():
        for entity in value if isinstance(value, list) else [value]:
            if isinstance(entity, Entity) and versions.get(entity.id, entity.version) != entity.version:
                raise Conflict("stale_version", document=entity.label, version=entity.version)


#: A parameter of this name, or with one of these words in it, is a secret (new_password, but not mapping or pinned).
SECRET_WORDS = frozenset({"password", "pin", "secret", "badge", "device_key"})


def _told(given: Mapping[str, Any]) -> dict[str, Any]:
    """The body as the audit keeps it; secrets are not kept."""
    return {
        name: "***" if SECRET_WORDS & {name, *name.split("_")} else value
        for name, value in given.items()
        if value is not UNSET
    }


def told_answer(answer: Any) -> Any:
    """What an answer looks like outside: an entity by id, number, version and status; a dataclass by its fields."""
    if isinstance(answer, Entity):
        told: dict[str, Any] = {"id": answer.id, "kind": answer.kind, "version": answer.version}
        for name in ("number", "code", "status"):
            value = getattr(answer, name, None)
            if value is not None:
                told[name] = value
        return told
    if answer is None:
        return {}
    if isinstance(answer, (list, tuple)):
        return [told_answer(each) for each in answer]
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        return {part.name: told_answer_part(getattr(answer, part.name)) for part in dataclasses.fields(answer)}
    if isinstance(answer, Mapping):
        return {str(name): told_answer_part(value) for name, value in answer.items()}
    return answer


def told_answer_part(value: Any) -> Any:
    """A field of an answer."""
    return (
        told_answer(value)
        if isinstance(value, (Entity, list, tuple, Mapping)) or dataclasses.is_dataclass(value)
        else value
    )


def by_id(id: UUID | None) -> Any:
    """A record named by its id, where code calls a command: the command fetches it and locks it."""
    return id


def _made(command: Command[..., Any], returned: Any) -> str | None:
    """The kind of the record a command makes: the one it returns, if that is not the one it is about."""
    answer = parameter("return", returned).entity
    kind = None if answer is None else kind_of(answer)
    return None if kind == command.subject else kind


def register(made: Command[Any, Any]) -> None:
    """Add a command to the registry; a name taken twice is a mistake."""
    if made.key in COMMANDS and COMMANDS[made.key].function is not made.function:
        raise ValueError(f"two commands are called {made.key}")
    COMMANDS[made.key] = made


@overload
def command(function: Callable[P, R], /) -> Command[P, R]: ...
@overload
def command(
    *,
    right: str | None = ...,
    when: Mapping[str, tuple[str, ...]] | None = ...,
    hidden: bool = ...,
    hot: bool = ...,
    subject: str | None = ...,
    offline: bool = ...,
) -> Callable[[Callable[P, R]], Command[P, R]]: ...
def command(
    function: Callable[..., Any] | None = None,
    /,
    *,
    right: str | None = None,
    when: Mapping[str, tuple[str, ...]] | None = None,
    hidden: bool = False,
    hot: bool = False,
    subject: str | None = None,
    offline: bool = False,
) -> Any:
    """Declare a command. `when` limits in which states a document's page offers it; `hidden` offers it nowhere.

    `subject` names the kind it is about where that is a row of the machinery's own, given by its plain id. `offline`:
    terminals and phones may keep the order while the network is away and hand it in later, with the time of the act.
    """

    def declare(function: Callable[..., Any]) -> Command[..., Any]:
        room = room_of(function.__module__)
        hints = typing.get_type_hints(function, include_extras=True)
        parameters = [
            parameter(name, hints[name], each.default)
            for name, each in inspect.signature(function).parameters.items()
            if name != "by"
        ]
        manual = inspect.getdoc(function)
        if not manual:
            raise ValueError(f"{room}.{function.__name__} needs a docstring: it is the manual")
        name = function.__name__
        made: Command[..., Any] = Command(
            room, name, right or f"{room}.{name}", function, parameters, manual, dict(when or {}), hidden, subject
        )
        made.makes = _made(made, hints.get("return"))
        made.offline = offline
        register(made)
        return made

    return declare if function is None else declare(function)


def run(by: Actor, key: str, body: Mapping[str, Any], **options: Any) -> Any:
    """Carry out a command by name with a checked body: what the API, rules and imports call.

    Raises Invalid naming the field when the body does not fit, NotFound when there is no such command.
    """
    made = COMMANDS.get(key)
    if made is None:
        raise NotFound("no_such_command", command=key)
    return made.carry_out(by, checked(made, body), **options)


def checked(made: Command[Any, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as the schema reads it: only what was given, as Python values."""
    try:
        model = made.body.model_validate(body)
    except pydantic.ValidationError as error:
        raise invalid(error) from error
    return {
        name: getattr(model, name)
        if not isinstance(getattr(model, name), (Body, list))
        else _dumped(getattr(model, name))
        for name in model.model_fields_set
    }


def _dumped(value: Any) -> Any:
    if isinstance(value, Body):
        return {name: _dumped(getattr(value, name)) for name in value.model_fields_set}
    if isinstance(value, list):
        return [_dumped(item) for item in value]
    return value


def invalid(error: pydantic.ValidationError) -> DomainError:
    """The first mistake of a body, as an error that names the field (and the row of a list)."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = first["loc"]
    row = next((int(part) + 1 for part in place if isinstance(part, int)), None)
    name = ".".join(str(part) for part in place if isinstance(part, str)) or "body"
    code = PYDANTIC.get(first["type"], "malformed")
    return Invalid(code, field=name, row=row, reason=first["msg"])


PYDANTIC = {
    "missing": "field_missing",
    "extra_forbidden": "unknown_field",
    "decimal_max_places": "too_precise",
    "decimal_max_digits": "too_large",
    "decimal_whole_digits": "too_large",
    "decimal_parsing": "not_a_number",
    "decimal_type": "not_a_number",
    "int_from_float": "not_a_number",
    "int_parsing_size": "too_large",
    "finite_number": "not_a_number",
    "int_type": "not_a_number",
    "int_parsing": "not_a_number",
    "greater_than_equal": "too_small",
    "less_than_equal": "too_large",
    "less_than": "too_large",
    "string_too_long": "too_long",
    "string_too_short": "field_missing",
    "string_type": "not_a_text",
    "string_unicode": "unprintable",
    "unprintable": "unprintable",
    "no_such_kind": "malformed",
    "out_of_calendar": "out_of_calendar",
    "uuid_parsing": "not_an_id",
    "uuid_type": "not_an_id",
    "date_from_datetime_parsing": "not_a_date",
    "date_parsing": "not_a_date",
    "date_type": "not_a_date",
    "date_from_datetime_inexact": "not_a_date",
    "datetime_from_date_parsing": "not_an_instant",
    "datetime_parsing": "not_an_instant",
    "timezone_aware": "not_an_instant",
    "datetime_type": "not_an_instant",
    "enum": "not_a_choice",
    "literal_error": "not_a_choice",
    "bool_parsing": "not_a_yes_or_no",
    "bool_type": "not_a_yes_or_no",
    "too_long": "too_many",
}
