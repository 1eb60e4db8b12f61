"""Columns of numbers with names: the base of every table that goes into or comes out of the engine.

A table is a frozen dataclass whose fields are NumPy arrays of one length. Index columns (they name a row of
another table, -1 = none) are int32; quantities, seconds and codes are int64. Tables are read-only once made, so a
snapshot may be shared by several runs at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, Self, cast, overload

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.int32]
Column = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool]


class Cells(Protocol):
    """A column as compiled functions see it, where a cell is a plain number (NumPy's own types say Any)."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, at: int, /) -> int: ...
    @overload
    def __getitem__(self, at: slice | Column, /) -> Column: ...
    def __setitem__(self, at: int | slice, value: int, /) -> None: ...


REQUIRED = object()


class ProblemError(ValueError):
    """The columns contradict each other; `code` is stable, `facts` name the rows (table, column, row, item...)."""

    def __init__(self, code: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts


def number(default: object = REQUIRED) -> Any:
    """An int64 column; without a default it must be given."""
    return field(metadata={"dtype": np.int64, "default": default})


def index(default: object = REQUIRED) -> Any:
    """An int32 column of row numbers; -1 means none."""
    return field(metadata={"dtype": np.int32, "default": default})


@dataclass(frozen=True, eq=False)
class Table:
    """Rows as parallel arrays. Make one with `of(...)`, which fills defaults, checks lengths and freezes."""

    @classmethod
    def of(cls, **columns: object) -> Self:
        """Make a table from sequences or scalars; columns left out take their default, scalars are repeated.

        Raises ProblemError "unknown_column", "missing_column" or "column_length".
        """
        names = [f.name for f in fields(cls)]
        for name in columns:
            if name not in names:
                message = f"{cls.__name__} has no column {name}"
                raise ProblemError("unknown_column", message, table=cls.__name__, column=name)
        arrays = [np.asarray(value) for value in columns.values()]
        lengths = {array.shape[0] for array in arrays if array.ndim == 1}
        if len(lengths) > 1:
            raise ProblemError("column_length", f"columns of {cls.__name__} differ in length", table=cls.__name__)
        rows = lengths.pop() if lengths else 0
        made: dict[str, Any] = {}
        for f in fields(cls):
            value = columns.get(f.name, f.metadata["default"])
            if value is REQUIRED:
                if rows:
                    message = f"{cls.__name__} needs {f.name}"
                    raise ProblemError("missing_column", message, table=cls.__name__, column=f.name)
                value = 0
            array = np.empty(rows, dtype=f.metadata["dtype"])
            array[:] = cast("npt.ArrayLike", value)
            array.flags.writeable = False
            made[f.name] = array
        return cls(**made)

    @classmethod
    def empty(cls) -> Self:
        """The table without rows."""
        return cls.of()

    def __len__(self) -> int:
        return int(getattr(self, fields(self)[0].name).shape[0])

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Column name to array, in declared order."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def row(self, at: int) -> dict[str, int]:
        """One row as plain ints."""
        return {name: int(array[at]) for name, array in self.columns().items()}

    def rows(self) -> list[dict[str, int]]:
        """All rows as plain ints: for tests and small screens, not for the hot path."""
        return [self.row(at) for at in range(len(self))]

    def where(self, keep: npt.NDArray[Any]) -> Self:
        """The rows chosen by a boolean mask or an array of row numbers, in that order."""
        return type(self).of(**{name: array[keep] for name, array in self.columns().items()})

    def with_columns(self, **columns: object) -> Self:
        """The same table with some columns replaced."""
        return type(self).of(**{**self.columns(), **columns})

    def joined(self, other: Self) -> Self:
        """The rows of this table followed by those of the other."""
        mine, theirs = self.columns(), other.columns()
        return type(self).of(**{name: np.concatenate((mine[name], theirs[name])) for name in mine})

    def same_as(self, other: Self) -> bool:
        """True when every column holds the same numbers in the same order."""
        theirs: Mapping[str, npt.NDArray[Any]] = other.columns()
        return all(np.array_equal(array, theirs[name]) for name, array in self.columns().items())
