"""`lianzao serve` with real processes: it starts, mends itself, leaves nothing behind, and says what is wrong."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from project import migrating, tls
from project.config import ROOT
from project.postgres import Cluster
from tests.processes import family


class Serving:
    """One `lianzao serve` in a folder of its own."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port
        self.cluster = Cluster(data / "postgres")
        self.settings: dict[str, str] = {}
        self.process: subprocess.Popen[str] | None = None
        self.lines: queue.Queue[str] = queue.Queue()
        self.said: list[str] = []

    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LIANZAO_")}
        settings = {"LIANZAO_DATA": str(self.data), "LIANZAO_PORT": str(self.port), "LIANZAO_WEB_WORKERS": "1"}
        return kept | settings | self.settings | {"PYTHONPATH": str(ROOT)}

    def start(self, *order: str) -> float:
        """Start (by default `serve`) and wait until it says it is ready; gives how long it took."""
        began = time.monotonic()
        order = order or (sys.executable, "-m", "project.cli", "serve")
        self.process = subprocess.Popen(
            order, env=self.environ(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        self.wait_for("ready in", 90)
        return time.monotonic() - began

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.put(line)

    def wait_for(self, words: str, seconds: float = 30) -> str:
        until = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"never said {words!r}, but:\n" + "".join(self.said)) from None
            self.said.append(line)
            if words in line:
                return line

    def once(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        order = [sys.executable, "-m", "project.cli", *arguments]
        return subprocess.run(order, env=self.environ() | environ, capture_output=True, text=True, timeout=60)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def ask(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10, trust_env=False)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(40)
        self.cluster.destroy()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    made = Serving(tmp_path / "data", free_port())
    yield made
    made.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return made.getsockname()[1]


def one(pid: int, words: str) -> int:
    """The process of the family whose command line holds the words; the eldest if there are several."""
    return min(child for child, line in family(pid).items() if words in line)


def held(condition: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "never came true"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_it_starts_mends_itself_and_leaves_nothing_behind(serving: Serving) -> None:
    version = migrating.wanted()
    serving.start()
    assert any("nobody can log in yet" in line for line in serving.said) or serving.wait_for("nobody can log in yet")
    assert serving.ask("/healthz").json() == {"status": "ok"}
    assert serving.ask("/readyz").json() == {"status": "ok", "checks": {"database": "ok", "schema": "ok", "disk": "ok"}}
    held(lambda: 'lianzao_up{process="work"} 1' in serving.ask("/metrics").text)
    assert (
        httpx.get(
            f"http://127.0.0.1:{serving.port}/metrics", headers={"x-forwarded-for": "10.0.0.9"}, trust_env=False
        ).status_code
        == 401
    ), "what comes through a proxy needs a token"
    assert serving.ask("/live?topics=a").status_code == 401
    assert serving.ask("/").headers["content-type"].startswith("text/html")
    chunked = httpx.post(
        f"http://127.0.0.1:{serving.port}/api/access/login",
        content=iter([b'{"login": "nobody", ', b'"password": "wrong"}']),
        headers={"content-type": "application/json"},
        trust_env=False,
    )
    assert chunked.status_code == 401, "a chunked body arrives whole"
    second = serving.once("serve")
    assert second.returncode == 3 and f"process {serving.pid}" in second.stderr

    # What dies is started again, and callers hardly notice.
    worker, live = one(serving.pid, "processes work"), one(serving.pid, "processes live")
    os.kill(worker, signal.SIGKILL)
    os.kill(live, signal.SIGKILL)
    serving.wait_for("it starts again")
    held(lambda: any("processes work" in line for line in family(serving.pid).values()))
    assert one(serving.pid, "processes work") != worker
    held(lambda: serving.ask("/live?topics=a").status_code == 401)
    granian = max(pid for pid, line in family(serving.pid).items() if "processes web" in line)
    os.kill(granian, signal.SIGKILL)
    held(lambda: serving.ask("/healthz").status_code == 200)

    # Figures: all processes behind the one address, the dead ones' counts with them.
    held(lambda: 'lianzao_process_restarts_total{process="serve",name="live"} 1' in serving.ask("/metrics").text)
    held(lambda: 'lianzao_http_seconds_count{process="web",method="GET",status="2xx"}' in serving.ask("/metrics").text)

    # Killed hard, it takes everything with it, the database too.
    left = [serving.pid, *family(serving.pid)]
    postmaster = serving.cluster.status()["pid"]
    os.kill(serving.pid, signal.SIGKILL)
    assert serving.process is not None
    serving.process.wait()
    held(lambda: not any(alive(pid) for pid in (*left, postmaster)), 15)

    # The second start is quick, because nothing has to be made or migrated; and it ends in order when told.
    serving.said.clear()
    seconds = serving.start()
    migrated = any("up to date" in line for line in serving.said)
    assert not migrated or migrating.wanted() != version, "only a source file that was edited meanwhile is a reason"
    assert seconds < 25, "10 s on a machine that has nothing else to do"
    left = list(family(serving.pid))
    began = time.monotonic()
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(30) == 0 and time.monotonic() - began < 15
    held(lambda: not any(alive(pid) for pid in left), 3)
    assert not serving.cluster.status()["running"]
    assert not any("is killed" in line for line in serving.said)


#: A plant that takes a quarter of an hour to build, without anybody having to wait for it.
SLOW_PLANT = """
import time, types
from project import config, supervisor

def build(environ):
    supervisor.time = types.SimpleNamespace(monotonic=lambda: time.monotonic() + 900, sleep=time.sleep)

supervisor.Supervisor(config.load(), supervisor.Plan(1, first=build)).run()
"""


@pytest.mark.slow
def test_a_plant_that_takes_long_to_build_takes_no_time_from_the_processes(serving: Serving) -> None:
    serving.start(sys.executable, "-uc", SLOW_PLANT)
    assert serving.ask("/healthz").json() == {"status": "ok"}


@pytest.mark.slow
def test_it_serves_https_by_its_own_authority(serving: Serving) -> None:
    serving.settings = {"LIANZAO_HTTPS": "1", "LIANZAO_LOG": "json"}
    serving.start()
    said = json.loads(serving.said[-1])
    assert f"https://127.0.0.1:{serving.port}/" in said["message"] and said["process"] == "serve"
    print_ = json.loads(serving.wait_for("SHA-256"))["message"].split()[-1]
    authority = serving.data / "tls" / "ca.crt"
    assert tls.fingerprint(authority) == print_
    with httpx.Client(verify=ssl.create_default_context(cafile=str(authority)), trust_env=False) as client:
        url = f"https://localhost:{serving.port}"
        assert client.get(f"{url}/readyz").json()["status"] == "ok"
        answer = client.get(f"{url}/api/access/me")
        assert answer.status_code == 401 and "secure" in answer.headers["set-cookie"].lower()
        held(
            lambda: (
                'lianzao_front_seconds_count{process="front",to="web",status="4xx"}'
                in client.get(f"{url}/metrics").text
            )
        )
    plain = serving.ask("/orders")
    assert plain.status_code == 308 and plain.headers["location"] == f"https://127.0.0.1:{serving.port}/orders"
    assert serving.ask("/ca").status_code == 200


def test_plain_http_is_not_served_to_others(serving: Serving) -> None:
    done = serving.once("serve", LIANZAO_HOST="0.0.0.0")
    assert done.returncode == 3 and "lianzao serve --https" in done.stderr and "LIANZAO_PROXY" in done.stderr
    assert not serving.data.exists()


def test_a_used_port_is_told_before_anything_is_made(serving: Serving) -> None:
    with socket.create_server(("127.0.0.1", serving.port)):
        done = serving.once("serve")
    assert done.returncode == 3 and f"choose another port (--port {serving.port + 1})" in done.stderr
    assert not serving.cluster.data.exists()


def test_a_damaged_data_folder_is_told(serving: Serving) -> None:
    serving.cluster.data.mkdir(parents=True)
    done = serving.once("serve")
    assert done.returncode == 3 and "Restore it from a backup, or move it away" in done.stderr


def test_a_folder_that_cannot_be_made_is_told(serving: Serving, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = serving.once("serve", LIANZAO_DATA=str(tmp_path / "file" / "data"))
    assert done.returncode == 3 and "choose another LIANZAO_DATA" in done.stderr


def test_a_server_that_does_not_answer_is_told(serving: Serving) -> None:
    url = f"postgresql://lianzao_app@127.0.0.1:{free_port()}/lianzao"
    done = serving.once("serve", LIANZAO_DATABASE_URL=url, LIANZAO_OWNER_URL=url)
    assert done.returncode == 3 and "Check the URL and that the server runs" in done.stderr
