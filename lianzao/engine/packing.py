"""A problem or a plan as bytes and back: the same file is bug report, test and bench. No files are touched here."""

from __future__ import annotations

import io
import json
from dataclasses import fields
from typing import Any

import numpy as np

from lianzao.engine import columns
from lianzao.engine.columns import Plan, Problem, ProblemError
from lianzao.engine.tables import Table

FORMAT = 1


def _tables(kind: type[Problem] | type[Plan]) -> dict[str, type[Table]]:
    """Field name to table class, read from the declarations in `columns`."""
    found: dict[str, type[Table]] = {}
    for f in fields(kind):
        declared = getattr(columns, str(f.type), None)
        if isinstance(declared, type) and issubclass(declared, Table):
            found[f.name] = declared
    return found


def _pack(thing: Problem | Plan, kind: type[Problem] | type[Plan]) -> bytes:
    tables = _tables(kind)
    arrays: dict[str, Any] = {}
    rest: dict[str, int | bool] = {}
    for f in fields(kind):
        value = getattr(thing, f.name)
        if f.name in tables:
            arrays.update({f"{f.name}.{name}": array for name, array in value.columns().items()})
        elif isinstance(value, np.ndarray):
            arrays[f.name] = value
        else:
            rest[f.name] = value
    head = json.dumps({"format": FORMAT, "kind": kind.__name__, **rest}, sort_keys=True)
    arrays["head"] = np.frombuffer(head.encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _unpack(data: bytes, kind: type[Problem] | type[Plan]) -> dict[str, Any]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        head = json.loads(arrays.pop("head").tobytes().decode())
    except (ValueError, OSError, KeyError) as broken:
        raise ProblemError("not_a_snapshot", "these bytes are no snapshot") from broken
    if head.pop("format") != FORMAT or head.pop("kind") != kind.__name__:
        raise ProblemError("other_format", "the snapshot is of another kind or format")
    made: dict[str, Any] = dict(head)
    tables = _tables(kind)
    given: dict[str, dict[str, Any]] = {name: {} for name in tables}
    for name, array in arrays.items():
        table, dot, column = name.partition(".")
        if dot:
            given[table][column] = array
        else:
            made[name] = array
    for name, table in tables.items():
        made[name] = table.of(**given[name])
    return made


def to_bytes(problem: Problem) -> bytes:
    """The problem as one compressed archive (NumPy .npz)."""
    return _pack(problem, Problem)


def from_bytes(data: bytes) -> Problem:
    """The problem again. Columns added to a table since take their defaults.

    Raises ProblemError "not_a_snapshot" or "other_format".
    """
    return Problem(**_unpack(data, Problem))


def plan_to_bytes(plan: Plan) -> bytes:
    """The plan as one compressed archive."""
    return _pack(plan, Plan)


def plan_from_bytes(data: bytes) -> Plan:
    """The plan again. Raises ProblemError "not_a_snapshot" or "other_format"."""
    return Plan(**_unpack(data, Plan))
