"""Figures of this process for whoever watches: counters, gauges, histograms, in Prometheus' sense. No Django here.

A process counts in its own memory; a thread writes what it has counted into a file of its own, every two seconds and
at its end. Whoever asks one of the processes for `/metrics` gets the sum over the files of all of them, by kind of
process. The files of the dead stay and are summed too, so no counter falls while the folder is kept.
"""

from __future__ import annotations

import atexit
import bisect
import fcntl
import json
import logging
import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

log = logging.getLogger("lianzao.figures")

WRITE_S = 2.0
#: A file not written for so long is of a process that ended: its counts still count, what it held does not.
FRESH_S = 15.0
#: Files of processes that ended so long ago are added up into one.
GONE_S = 600.0
GONE = "gone.json"

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Key = tuple[str, ...]


class Figure:
    """One figure: its name on the wire, what it means, and the names of its labels."""

    kind = ""

    def __init__(self, name: str, meaning: str, labels: Sequence[str] = ()) -> None:
        if name in FIGURES:
            raise ValueError(f"two figures are called {name}")
        self.name = name
        self.meaning = meaning
        self.labels = tuple(labels)
        self.lock = threading.Lock()
        FIGURES[name] = self

    def key(self, given: Mapping[str, str]) -> Key:
        """The values of the labels, in their order. Raises KeyError when one is missing."""
        return tuple(str(given[label]) for label in self.labels)

    def values(self) -> dict[Key, Any]:
        """What is counted now: a number for each set of label values, or a histogram's list of counts and sum."""
        raise NotImplementedError


FIGURES: dict[str, Figure] = {}


class Counter(Figure):
    """Something that happened so many times. Its name ends in _total."""

    kind = "counter"

    def __init__(self, name: str, meaning: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, meaning, labels)
        self._counts: dict[Key, float] = {}

    def count(self, by: float = 1, **labels: str) -> None:
        """It happened."""
        key = self.key(labels)
        with self.lock:
            self._counts[key] = self._counts.get(key, 0) + by

    def values(self) -> dict[Key, Any]:
        """So often, by labels."""
        with self.lock:
            return dict(self._counts)


class Gauge(Figure):
    """Something that is so much now: set by hand, or asked of `read` at each look. Processes of a kind add up."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        meaning: str,
        labels: Sequence[str] = (),
        read: Callable[[], Mapping[Key, float]] | None = None,
    ) -> None:
        super().__init__(name, meaning, labels)
        self.read = read
        self._held: dict[Key, float] = {}

    def set(self, value: float, **labels: str) -> None:
        """It is so much."""
        with self.lock:
            self._held[self.key(labels)] = value

    def values(self) -> dict[Key, Any]:
        """So much, by labels."""
        if self.read is not None:
            return dict(self.read())
        with self.lock:
            return dict(self._held)


class Histogram(Figure):
    """How long something took, or how much it was: how many observations fell below each bound, and their sum."""

    kind = "histogram"

    def __init__(self, name: str, meaning: str, labels: Sequence[str] = (), bounds: Sequence[float] = SECONDS) -> None:
        super().__init__(name, meaning, labels)
        self.bounds = tuple(bounds)
        self._rows: dict[Key, list[float]] = {}

    def observe(self, value: float, **labels: str) -> None:
        """It took so long."""
        key = self.key(labels)
        place = bisect.bisect_left(self.bounds, value)
        with self.lock:
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = [0.0] * (len(self.bounds) + 2)
            row[place] += 1
            row[-1] += value

    def values(self) -> dict[Key, Any]:
        """By labels: a count for each bound and one for what lies beyond, then the sum."""
        with self.lock:
            return {key: list(row) for key, row in self._rows.items()}


# -- out of this process ----------------------------------------------------------------------------------------------

Told = dict[str, Any]


def told() -> dict[str, Told]:
    """All figures of this process as plain data."""
    said: dict[str, Told] = {}
    for figure in list(FIGURES.values()):
        try:
            values = figure.values()
        except Exception:  # one figure that cannot be read must not hide the others
            log.exception("figure %s cannot be read", figure.name)
            continue
        if not values:
            continue
        said[figure.name] = {"kind": figure.kind, "meaning": figure.meaning, "labels": figure.labels} | {
            "rows": [[list(key), value] for key, value in values.items()]
        }
        if isinstance(figure, Histogram):
            said[figure.name]["bounds"] = figure.bounds
    return said


class Writer:
    """Keeps this process's file up to date until the process ends."""

    def __init__(self, folder: Path, process: str) -> None:
        self.folder = folder
        self.process = process
        self.path = folder / f"{process}.{os.getpid()}.{secrets.token_hex(3)}.json"
        self._complained = False
        self._lock = threading.Lock()

    def start(self) -> Writer:
        """Write now and then, in a thread that ends with the process."""
        self.write()
        threading.Thread(target=self._go_on, name="figures", daemon=True).start()
        atexit.register(self.write)
        return self

    def _go_on(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(WRITE_S)
            self.write()

    def write(self) -> None:
        """Write what is counted now. A folder that cannot be written is complained of once."""
        draft = self.path.with_suffix(".new")
        said = json.dumps({"process": self.process, "pid": os.getpid(), "figures": told()})
        try:
            with self._lock:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                draft.write_text(said, encoding="utf-8")
                draft.rename(self.path)
        except OSError as error:
            if not self._complained:
                self._complained = True
                log.warning("figures cannot be written to %s: %s", self.folder, error.strerror)


def clear(folder: Path) -> None:
    """Begin anew: what earlier processes left is removed."""
    for path in folder.glob("*.*") if folder.is_dir() else []:
        path.unlink(missing_ok=True)


# -- joining ----------------------------------------------------------------------------------------------------------


class Joined:
    """The figures of several processes as one: sums by kind of process (label `process`) and its own labels."""

    def __init__(self) -> None:
        self.figures: dict[str, Told] = {}
        self.rows: dict[str, dict[Key, Any]] = {}
        self.living: dict[str, int] = {}

    def add(self, process: str, said: Mapping[str, Told], living: bool = True) -> None:
        """Add a process's figures; of one that ended, what it counted but not what it held."""
        for name, figure in said.items():
            if figure["kind"] == "gauge" and not living:
                continue
            head = self.figures.setdefault(name, {field: figure[field] for field in figure if field != "rows"})
            if list(head.get("bounds", ())) != list(figure.get("bounds", ())):
                continue  # left by another version of the program
            rows = self.rows.setdefault(name, {})
            for labels, value in figure["rows"]:
                key = (process, *labels)
                rows[key] = value if key not in rows else _sum(rows[key], value)

    def put(self, name: str, kind: str, meaning: str, labels: Sequence[str], rows: Mapping[Key, float]) -> None:
        """Add a figure of no process: one of the whole house."""
        self.figures[name] = {"kind": kind, "meaning": meaning, "labels": tuple(labels), "house": True}
        self.rows[name] = dict(rows)

    def lines(self) -> Iterator[str]:
        """The text format that Prometheus reads (version 0.0.4)."""
        for name in sorted(self.figures):
            figure = self.figures[name]
            yield f"# HELP {name} {_escaped(figure['meaning'])}"
            yield f"# TYPE {name} {figure['kind']}"
            labels = [*(() if figure.get("house") else ("process",)), *figure["labels"]]
            for key in sorted(self.rows.get(name, {})):
                value = self.rows[name][key]
                pairs = list(zip(labels, key, strict=True))
                if figure["kind"] == "histogram":
                    yield from _histogram(name, pairs, figure["bounds"], value)
                else:
                    yield f"{name}{_braced(pairs)} {_number(value)}"

    def text(self) -> str:
        """The lines, ended as the format wants it."""
        return "\n".join(self.lines()) + "\n"


def _sum(one: Any, other: Any) -> Any:
    return [a + b for a, b in zip(one, other, strict=True)] if isinstance(one, list) else one + other


def _histogram(name: str, pairs: list[tuple[str, str]], bounds: Sequence[float], row: list[float]) -> Iterator[str]:
    below = 0.0
    for bound, count in zip([*bounds, math.inf], row[:-1], strict=True):
        below += count
        yield f"{name}_bucket{_braced([*pairs, ('le', _number(bound))])} {_number(below)}"
    yield f"{name}_sum{_braced(pairs)} {_number(row[-1])}"
    yield f"{name}_count{_braced(pairs)} {_number(below)}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _braced(pairs: Iterable[tuple[str, str]]) -> str:
    said = []
    for name, value in pairs:
        plain = _escaped(value).replace('"', r"\"")
        said.append(f'{name}="{plain}"')
    return "{" + ",".join(said) + "}" if said else ""


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def joined(folder: Path) -> Joined:
    """The figures of all processes that write, or wrote, into this folder."""
    made = Joined()
    if not folder.is_dir():
        return made
    with _alone(folder):
        gone: list[tuple[Path, Told]] = []
        for path in sorted(folder.glob("*.json")):
            try:
                age = time.time() - path.stat().st_mtime
                said = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if path.name == GONE:
                for process, figures in said.items():
                    made.add(process, figures, living=False)
                continue
            living = abs(age) < FRESH_S  # also when the clock was set back meanwhile
            made.add(said["process"], said["figures"], living)
            made.living[said["process"]] = made.living.get(said["process"], 0) + living
            if age > GONE_S and not _alive(said["pid"]):
                gone.append((path, said))
        if gone:
            try:
                _add_up(folder, gone)
            except OSError as error:  # a full disk: they stay as they are, and are told all the same
                log.warning("figures cannot be added up in %s: %s", folder, error.strerror)
    return made


def _add_up(folder: Path, gone: Sequence[tuple[Path, Told]]) -> None:
    """Put the counts of processes long gone into one file, so that a process that keeps dying fills no disk."""
    kept = folder / GONE
    held: dict[str, dict[str, Told]] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    sums: dict[str, Joined] = {}
    for process, figures in [*held.items(), *((said["process"], said["figures"]) for _, said in gone)]:
        sums.setdefault(process, Joined()).add(process, figures, living=False)
    whole = {
        process: {
            name: figure | {"rows": [[list(key[1:]), value] for key, value in each.rows[name].items()]}
            for name, figure in each.figures.items()
        }
        for process, each in sums.items()
    }
    draft = folder / "gone.new"
    draft.write_text(json.dumps(whole), encoding="utf-8")
    draft.rename(kept)
    for path, _ in gone:
        path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
