"""PostgreSQL nodes under Patroni with etcd, all on 127.0.0.1: the recipe of docs/operate/failover.md, run for real.

Patroni comes from PyPI into a folder of its own, for the product does not depend on it; etcd is Debian's etcd-server.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg

from project.config import ROOT
from project.postgres import APPLICATION, OWNER
from project.programs import SYSTEM_HOME, GroundError, ServerUser, version_of, wheel_binaries

PATRONI = "patroni[etcd3,psycopg3]==4.1.5"
RECIPE = ROOT / "docs" / "operate" / "patroni.yml"
STARTS_S = 90.0


class Node:
    """One Patroni with its PostgreSQL: a machine's worth."""

    def __init__(self, name: str, port: int, rest: int, settings: Path) -> None:
        self.name, self.port, self.rest, self.settings = name, port, rest, settings
        self.process: subprocess.Popen[bytes] | None = None

    def leads(self) -> bool:
        """Whether its own Patroni says that it is the one to write to."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.rest}/primary", timeout=2, trust_env=False).status_code == 200
        return False

    def is_synchronous(self) -> bool:
        """Whether it is the standby without which nothing is acknowledged."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.rest}/sync", timeout=2, trust_env=False).status_code == 200
        return False


class Patronis:
    """Three nodes, one of which leads."""

    def __init__(self, folder: Path, nodes: int = 3) -> None:
        if shutil.which("etcd") is None:
            raise GroundError("etcd is needed for this: apt-get install etcd-server")
        self.user = ServerUser()
        # Where PostgreSQL's user may go: not into pytest's folders, when we are root.
        self.home = SYSTEM_HOME / f"patroni-{secrets.token_hex(4)}" if self.user.as_root else folder / "patroni"
        self.user.private_folder(self.home)
        self.binaries = self.user.reachable(wheel_binaries()) if self.user.as_root else wheel_binaries()
        self.patroni = self._installed()
        self.words = {name: secrets.token_urlsafe(12) for name in ("postgres", "replicator", OWNER, APPLICATION)}
        ports = free_ports(2 * nodes + 2)
        self.etcd_port, self.peer_port = ports[:2]
        self.etcd: subprocess.Popen[bytes] | None = None
        self.nodes = [
            Node(f"n{number}", port, rest, self.home / f"n{number}.yml")
            for number, (port, rest) in enumerate(zip(ports[2::2], ports[3::2], strict=True), 1)
        ]

    def url(self, role: str, dbname: str = "lianzao") -> str:
        """All nodes in one URL; libpq looks for the one that may be written to."""
        places = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        options = "target_session_attrs=read-write&connect_timeout=3&tcp_user_timeout=5000"
        return f"postgresql://{role}:{self.words[role]}@{places}/{dbname}?{options}"

    def start(self) -> None:
        """Start etcd and all nodes, and wait for a leader with a synchronous standby."""
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        self.etcd = self._begin(
            "etcd", "etcd", "--name", "e1", "--data-dir", str(self.home / "etcd"), "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"e1={peer}",
        )  # fmt: skip
        for node in self.nodes:
            self.begin(node)
        self.settled()

    def begin(self, node: Node) -> None:
        """Start one node."""
        values = {
            "NAME": node.name, "PORT": node.port, "REST": node.rest, "ETCD": self.etcd_port, "HOME": self.home,
            "BINARIES": self.binaries, "SUPERUSER_WORD": self.words["postgres"],
            "REPLICATION_WORD": self.words["replicator"],
        }  # fmt: skip
        text = RECIPE.read_text("utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        node.settings.write_text(text, "utf-8")
        self.user.give(node.settings)
        node.process = self._begin(node.name, str(self.patroni / "bin" / "patroni"), str(node.settings))

    def settled(self) -> Node:
        """Wait until one leads, another stands by in step, and the rest follow too; gives the leader."""
        until = time.monotonic() + STARTS_S
        while time.monotonic() < until:
            leader = next((node for node in self.nodes if node.leads()), None)
            if leader is not None and any(node.is_synchronous() for node in self.nodes) and self._all_follow(leader):
                return leader
            time.sleep(0.3)
        raise GroundError(f"no leader with a synchronous standby after {STARTS_S:.0f} s: {self.said()}")

    def _all_follow(self, leader: Node) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            said = httpx.get(f"http://127.0.0.1:{leader.rest}/cluster", timeout=2, trust_env=False).json()
            states = [each["state"] for each in said["members"] if each["role"] != "leader"]
            return states == ["streaming"] * (len(self.nodes) - 1)
        return False

    def pull_the_plug(self, node: Node) -> None:
        """Patroni and PostgreSQL of a node are gone at once, as with the machine; nothing is told to anybody."""
        first = (self.home / node.name / "postmaster.pid").read_text().split()[0]
        assert node.process is not None
        for pid in (node.process.pid, int(first), *children_of(int(first))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.process.wait()
        node.process = None

    def hand_over(self, leader: Node) -> None:
        """Ask for another leader, as before maintenance of a machine."""
        order = {"leader": leader.name}
        answer = httpx.post(f"http://127.0.0.1:{leader.rest}/switchover", json=order, timeout=60, trust_env=False)
        if answer.status_code != 200:
            raise GroundError(f"no hand-over: {answer.text}")

    def said(self) -> str:
        """The last words of every process."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text('utf-8', 'replace')[-1500:]}" for log in self.home.glob("*.log")
        )

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        """A superuser's connection to the leader."""
        return psycopg.connect(self.url("postgres", "postgres"), autocommit=True, client_encoding="utf8")

    def stop(self) -> None:
        """Stop everything and delete it."""
        for node in self.nodes:
            if node.process is not None:
                node.process.terminate()
        for node in self.nodes:
            if node.process is not None:
                try:
                    node.process.wait(20)
                except subprocess.TimeoutExpired:
                    node.process.kill()
                    node.process.wait()
            self.user.run([str(self.binaries / "pg_ctl"), "-D", str(self.home / node.name), "-m", "immediate", "stop"])
        if self.etcd is not None:
            self.etcd.kill()
            self.etcd.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def _begin(self, name: str, *order: str) -> subprocess.Popen[bytes]:
        account = self.user.account
        user, group, others = (account.pw_uid, account.pw_gid, []) if account else (None, None, None)
        environ = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": str(self.home)}
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                order, cwd="/", env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                user=user, group=group, extra_groups=others,
            )  # fmt: skip

    def _installed(self) -> Path:
        """Patroni's own environment, where the server's user may read it; made once for each version."""
        place = (SYSTEM_HOME if self.user.as_root else ROOT / ".cache") / f"venv-{PATRONI.partition('==')[2]}"
        if (place / "bin" / "patroni").exists():
            return place
        python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable  # ours may lie in root's own folder
        for order in ([python, "-m", "venv", str(place)], [str(place / "bin" / "pip"), "install", "--quiet", PATRONI]):
            done = subprocess.run(order, capture_output=True, text=True)
            if done.returncode:
                shutil.rmtree(place, ignore_errors=True)
                raise GroundError(f"Patroni could not be installed: {done.stderr[-1500:]}")
        return place


@contextmanager
def patronis(folder: Path) -> Iterator[Patronis]:
    """Nodes under Patroni while the block runs."""
    made = Patronis(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def versions(made: Patronis) -> str:
    """What was tried, for the report."""
    return f"PostgreSQL {version_of(made.binaries)}, {PATRONI.replace('[etcd3,psycopg3]==', ' ')}"


def children_of(pid: int) -> list[int]:
    """The direct children of a process."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def free_ports(count: int) -> list[int]:
    """So many ports nobody listens on."""
    with contextlib.ExitStack() as held:
        made = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in made]
