"""Figures: what a process counted is told once, summed by kind of process, and survives the process that counted it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lianzao.foundation import figures
from lianzao.foundation.figures import Counter, Gauge, Histogram, Writer, joined


@pytest.fixture(autouse=True)
def own_figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(figures, "FIGURES", {})
    yield


def samples(folder: Path) -> dict[str, float]:
    lines = [line for line in joined(folder).text().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_the_text_is_what_prometheus_reads(tmp_path: Path) -> None:
    orders = Counter("orders_total", "Orders.", ("command", "outcome"))
    took = Histogram("took_seconds", "How long.", bounds=(0.1, 1))
    orders.count(command='say "hi"\\', outcome="done")
    orders.count(2, command="b", outcome="refused")
    for seconds in (0.05, 0.1, 0.5, 7):
        took.observe(seconds)
    Writer(tmp_path, "web").write()
    assert joined(tmp_path).text() == (
        "# HELP orders_total Orders.\n# TYPE orders_total counter\n"
        'orders_total{process="web",command="b",outcome="refused"} 2\n'
        'orders_total{process="web",command="say \\"hi\\"\\\\",outcome="done"} 1\n'
        "# HELP took_seconds How long.\n# TYPE took_seconds histogram\n"
        'took_seconds_bucket{process="web",le="0.1"} 2\ntook_seconds_bucket{process="web",le="1"} 3\n'
        'took_seconds_bucket{process="web",le="+Inf"} 4\n'
        'took_seconds_sum{process="web"} 7.65\ntook_seconds_count{process="web"} 4\n'
    )


def test_processes_of_a_kind_add_up_and_the_dead_are_not_forgotten(tmp_path: Path) -> None:
    orders = Counter("orders_total", "Orders.")
    clients = Gauge("clients", "Listeners.", read=lambda: {(): 3.0})
    orders.count(5)
    one, two, other = Writer(tmp_path, "web"), Writer(tmp_path, "web"), Writer(tmp_path, "work")
    for each in (one, two, other):
        each.write()
    assert clients.values() == {(): 3.0}
    assert samples(tmp_path)['orders_total{process="web"}'] == 10 and samples(tmp_path)['clients{process="web"}'] == 6
    # One dies: what it counted stays, what it held is gone.
    old = time.time() - figures.FRESH_S - 1
    os.utime(one.path, (old, old))
    assert samples(tmp_path) == {
        'orders_total{process="web"}': 10,
        'orders_total{process="work"}': 5,
        'clients{process="web"}': 3,
        'clients{process="work"}': 3,
    }
    assert joined(tmp_path).living == {"web": 1, "work": 1}


def test_files_of_the_long_dead_become_one_and_no_counter_falls(tmp_path: Path) -> None:
    Counter("orders_total", "Orders.").count(5)
    Histogram("took_seconds", "How long.", bounds=(1,)).observe(0.5)
    ended = subprocess.Popen(["true"])
    ended.wait()
    old = time.time() - figures.GONE_S - 1
    for _ in range(3):
        writer = Writer(tmp_path, "web")
        writer.write()
        said = json.loads(writer.path.read_text()) | {"pid": ended.pid}
        writer.path.write_text(json.dumps(said))
        os.utime(writer.path, (old, old))
    sleeping = Writer(tmp_path, "web")  # a laptop that slept: long not written, but its process lives
    sleeping.write()
    os.utime(sleeping.path, (old, old))
    before = samples(tmp_path)
    assert before['orders_total{process="web"}'] == 20
    assert sorted(path.name for path in tmp_path.glob("*.json")) == sorted([figures.GONE, sleeping.path.name])
    assert samples(tmp_path) == before
    assert before['took_seconds_count{process="web"}'] == 4


def test_one_figure_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    def broken() -> dict[tuple[str, ...], float]:
        raise ZeroDivisionError

    Gauge("bad", "Broken.", read=broken)
    Counter("good_total", "Good.").count()
    Writer(tmp_path, "web").write()
    assert samples(tmp_path) == {'good_total{process="web"}': 1}


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    writer = Writer(tmp_path / "file" / "figures", "web")
    writer.write()
    writer.write()
    assert [record.getMessage().startswith("figures cannot be written") for record in caplog.records] == [True]


def test_a_name_is_taken_once() -> None:
    Counter("a_total", "A.")
    with pytest.raises(ValueError, match="two figures are called a_total"):
        Gauge("a_total", "A.")
