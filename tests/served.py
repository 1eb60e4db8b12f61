"""`lianzao serve` on an embedded, durable PostgreSQL of its own, and clients that cost little."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from lianzao.values.time import uuid7
from project.config import ROOT
from project.postgres import APPLICATION, DATABASE, OWNER, Cluster


class Served:
    """The running product, and its database's addresses."""

    def __init__(self, folder: Path, told: dict[str, str] | None = None, log: IO[Any] | None = None) -> None:
        """`told` are more settings; what it says on standard error goes into `log`."""
        with socket.create_server(("127.0.0.1", 0)) as made:
            self.port = int(made.getsockname()[1])
        self.cluster = Cluster(folder / "postgres")
        self.log = log
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("LIANZAO_")} | {
            "LIANZAO_DATA": str(folder),
            "LIANZAO_PORT": str(self.port),
            "LIANZAO_WEB_WORKERS": "2",
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "project.settings",
            **(told or {}),
        }
        self.start()

    def start(self) -> None:
        """Start `lianzao serve` and wait until it is ready."""
        order = [sys.executable, "-m", "project.cli", "serve"]
        self.process = subprocess.Popen(order, env=self.environ, stdout=subprocess.PIPE, stderr=self.log, text=True)
        assert self.process.stdout is not None
        for row in self.process.stdout:
            if row.startswith("ready in"):
                break
        else:
            raise AssertionError("the product did not start")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def inside(self, code: str) -> str:
        """Run code on the product's database in a process of its own; gives what it printed."""
        urls = {name: self.cluster.url(DATABASE, role) for name, role in
                (("LIANZAO_DATABASE_URL", APPLICATION), ("LIANZAO_OWNER_URL", OWNER))}  # fmt: skip
        start = "import django; django.setup()\nfrom lianzao.foundation import registry; registry.load()\n"
        order = [sys.executable, "-c", start + code]
        done = subprocess.run(order, env=self.environ | urls, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def pgbench(self, seconds: int, clients: int = 16) -> float:
        """Transactions per second of pgbench's tpcb-like script on the same server; made at its first call."""
        name = "pgbench"
        if name not in self.cluster.databases():
            self.cluster.create_database(name)
            self._pgbench("--initialize", "--quiet", "--scale=20")
        said = self._pgbench(f"--client={clients}", "--jobs=1", f"--time={seconds}", "--no-vacuum")
        found = re.search(r"tps = ([\d.]+)", said)
        assert found is not None, said
        return float(found[1])

    def _pgbench(self, *arguments: str) -> str:
        order = [str(self.cluster.binaries / "pgbench"), *arguments, self.cluster.url("pgbench", OWNER)]
        done = subprocess.run(order, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self, keep: bool = False) -> None:
        """Stop it and its database, and remove that unless it is to be kept."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        if not keep:
            self.cluster.destroy()


@contextmanager
def served(folder: Path, told: dict[str, str] | None = None, log: IO[Any] | None = None) -> Iterator[Served]:
    """The product while the block runs."""
    made = Served(folder, told, log)
    try:
        yield made
    finally:
        made.close()


#: A plant with orders to report on (tests/bench/life.py): each reporter has one of its own.
SHOP = """
import json
from tests.bench.life import Shop, reports_to_make
print(json.dumps(reports_to_make(Shop.build(backflush=(True,)), %d)))
"""
REPORTERS = 4


def furnished(folder: Path) -> dict[str, Any]:
    """A data folder whose database holds the shop already, copied from one that is made once for a state of the code.

    Gives a token, and the operations to report on.
    """
    kept = ROOT / ".test" / f"served-{_state()}"
    kept.parent.mkdir(exist_ok=True)
    with (kept.parent / "served.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (kept / "shop.json").exists():
            for old in kept.parent.glob("served-*"):
                Cluster(old / "postgres").destroy()
                shutil.rmtree(old)
            kept.mkdir()
            made = Served(kept)
            try:
                said = made.inside(SHOP % REPORTERS)
            finally:
                made.close(keep=True)
            (kept / "shop.json").write_text(said)
        home, target = Cluster(kept / "postgres").home, Cluster(folder / "postgres").home
        folder.mkdir(parents=True, exist_ok=True)
        target.mkdir(mode=0o700, exist_ok=True)
        order = ["cp", "-a", "--no-target-directory", str(home), str(target)]
        assert not subprocess.run(order, check=False).returncode
        shutil.copy2(kept / "secret_key", folder / "secret_key")
        return json.loads((kept / "shop.json").read_text())


def _state() -> str:
    from tests.databases import schema_hash

    shop = (ROOT / "tests" / "bench" / "life.py").read_text() + SHOP
    rooms = sorted((ROOT / "lianzao").glob("*/commands.py"))
    digest = hashlib.sha256("".join([shop, *(each.read_text() for each in rooms)]).encode()).hexdigest()
    return schema_hash(Cluster(ROOT / ".test").version) + digest[:6]


class Client:
    """One connection that is kept, as a program would: bytes out, bytes in."""

    def __init__(self, port: int, bearer: str) -> None:
        self.head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {bearer}\r\n".encode()
        self.made = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str) -> bytes:
        """The body of a 200."""
        return self._ask(b"GET " + path.encode() + b" HTTP/1.1\r\n" + self.head + b"\r\n")

    def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer to an order with an id of its own."""
        head = (
            b"POST %b HTTP/1.1\r\n%bContent-Type: application/json\r\nIdempotency-Key: %b\r\nContent-Length: %d\r\n\r\n"
        )
        return self._ask(head % (path.encode(), self.head, str(uuid7()).encode(), len(body)) + body)

    def _ask(self, request: bytes) -> bytes:
        self.made.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].lower()
        assert head.startswith(b"http/1.1 200"), data[:2000].decode("utf-8", "replace")
        at = head.index(b"content-length:") + 15
        length = int(head[at:].split(b"\r\n", 1)[0])
        while len(data) < end + 4 + length:
            data += self._more()
        return data[end + 4 :]

    def _more(self) -> bytes:
        piece = self.made.recv(262_144)
        assert piece, "the connection was closed"
        return piece


@dataclass
class Load:
    """How often an act was done by several clients in a while, and how long each took (seconds)."""

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Acts per second."""
        return len(self.took) / self.seconds

    def centile(self, share: float) -> float:
        """So many of all were at least as quick."""
        return sorted(self.took)[min(len(self.took) - 1, int(len(self.took) * share))]


def load(acts: list[Callable[[], object]], seconds: float) -> Load:
    """Each act over and over in a thread of its own."""
    made = Load()
    began = time.monotonic()

    def repeat(act: Callable[[], object]) -> None:
        while (at := time.monotonic()) < began + seconds:
            act()
            made.took.append(time.monotonic() - at)

    threads = [threading.Thread(target=repeat, args=(act,)) for act in acts]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    made.seconds = time.monotonic() - began
    return made


def median_ratio(pairs: list[tuple[float, float]]) -> float:
    """The median of product ÷ reference over rounds that were measured side by side."""
    return statistics.median(product / reference for product, reference in pairs)
