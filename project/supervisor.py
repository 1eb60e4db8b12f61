"""`lianzao serve`: starts the database and all processes behind one address, starts again what dies, stops in order.

The supervisor itself imports neither Django nor the house: it stays small and has little that can fail. Its children
lead sessions of their own, so that Ctrl-C reaches only the supervisor; they end when it is gone, however it went.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from lianzao.foundation import figures
from project import backup, lifeline, migrating, postgres, progress
from project.config import ROOT, Config
from project.postgres import Cluster, GroundError
from project.processes import Stopping, serving

if TYPE_CHECKING:
    from project.tls import Pair

RESTARTS = figures.Counter("lianzao_process_restarts_total", "Processes that ended by themselves, by name.", ("name",))
READY_S = 300.0  # a planner that has to compile its kernels on a slow machine takes minutes
FIRST_PAUSE_S = 0.3
LONGEST_PAUSE_S = 30.0
LONGEST_DATABASE_PAUSE_S = 5.0  # what it lacks, such as room on its disk, may be there at any moment
WELL_AFTER_S = 20.0  # who has run so long begins with a short pause again
LOCK_S = 8.0
LOOK_S = 0.2
KEPT_FROM_CHILDREN = ("LIANZAO_OWNER_URL", "LIANZAO_REPORT_URL", "LIANZAO_ADMIN_URL")
TRIES_BEFORE_READY = 3
LONGEST_SOCKET = 100


@dataclass
class Child:
    """One process: how to start it, how to see that it is ready, how long it may take to end."""

    name: str
    arguments: list[str]
    sockets: tuple[int, ...] = ()
    probe: tuple[str, str] | None = None  # a Unix socket, and the path that answers 200 when ready
    patience_s: float = 10.0
    environ: dict[str, str] = field(default_factory=dict)  # more than the others are told
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    started_at: float = 0.0
    start_at: float = 0.0
    deaths: int = 0
    pipe: int | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self.process.pid if self.process is not None else None


@dataclass
class Database:
    """The embedded server, if there is one, and how often it ended lately."""

    cluster: Cluster | None = None
    deaths: int = 0
    started_at: float = 0.0
    start_at: float = 0.0


@dataclass
class Plan:
    """What to run: how many of each, and the demo's simulator if it shall run (plant seconds in a real one)."""

    web_workers: int
    work: int = 1
    plan: int = 1
    speed: float | None = None
    backup: bool = True
    first: Callable[[dict[str, str]], None] | None = None  # once the database stands, before the processes start
    told: Callable[[], list[str]] = field(default=list)  # more lines to print when all is ready


class Supervisor:
    """Runs everything of one data folder until it is told to stop."""

    def __init__(self, config: Config, plan: Plan, say: Callable[[str], None] = print) -> None:
        self.config = config
        self.plan = plan
        self.say = _whatever_becomes_of_it(say)
        self.children: list[Child] = []
        self.schema = ""
        self.database = Database()
        self.pair: Pair | None = None
        self.keeper: subprocess.Popen[bytes] | None = None
        self.stopping = Stopping()
        signal.signal(signal.SIGHUP, self.stopping._tell)

    def run(self) -> None:
        """Start, watch, stop. Raises GroundError when it cannot start."""
        refuse_plain(self.config)
        with alone(self.config), contextlib.ExitStack() as held:
            sockets = [
                each
                for port in (self.config.port, self.config.http_port if self.config.secure else None)
                if port is not None
                for each in held.enter_context(opened(self.config.host, port))
            ]
            self.pair = self._certificate()
            cluster = None
            try:
                began = time.monotonic()
                if self.config.embedded:
                    self.keeper = self._start_keeper()
                with progress.telling(f"{'starting' if self._is_kept() else 'making'} the database"):
                    cluster = self.database.cluster = postgres.start_embedded(self.config)
                self.schema = migrating.wanted()
                migrating.bring_up_to_date(self.config)
                environ = self.environment()
                if self.plan.first is not None:
                    self.plan.first(environ)
                with run_folder(self.config) as folder:
                    self._watch(environ, folder, sockets, began)
            finally:
                backup.clear_scratch(self.config)
                if cluster is not None:
                    cluster.stop()
                if self.keeper is not None:
                    self.keeper.communicate(b"stopped\n")

    def _certificate(self) -> Pair | None:
        if not self.config.secure:
            return None
        from project import tls  # not before it is needed: its library takes a moment to load

        return tls.prepare(self.config)

    def _hosts(self) -> dict[str, str]:
        if self.pair is None:
            return {}
        from project import tls

        return {"LIANZAO_ALLOWED_HOSTS": ",".join(tls.hosts(self.config))}

    def environment(self) -> dict[str, str]:
        """What the children are told. Whoever serves people must not even know how to log in as the owner."""
        known = {name: value for name, value in os.environ.items() if name not in KEPT_FROM_CHILDREN}
        return {
            **known,
            **lifeline.environment(),
            **self._hosts(),
            "LIANZAO_DATABASE_URL": postgres.application_url(self.config),
            "LIANZAO_SECRET_KEY": self.config.kept_secret_key(),
            "LIANZAO_DATA": str(self.config.data),
            # Where kernels go that were not compiled at the installation, if we may not write beside them.
            "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR") or str(self.config.data / "kernels"),
            migrating.MARK: self.schema,
            "LIANZAO_HOST": self.config.host,
            "LIANZAO_PORT": str(self.config.port),
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }

    def _is_kept(self) -> bool:
        return (postgres.cluster_of(self.config).data / "PG_VERSION").is_file()

    # -- watching -----------------------------------------------------------------------------------------------------

    def _watch(self, environ: dict[str, str], folder: Path, sockets: Sequence[socket.socket], began: float) -> None:
        figures.clear(self.config.figures_folder)
        self.children = self._planned(folder, tuple(each.fileno() for each in sockets))
        for child in self.children:
            RESTARTS.count(0, name=child.name)
        figures.Writer(self.config.figures_folder, "serve").start()
        try:
            with progress.telling("starting the processes", self._late):
                self._until_ready(environ)
            if self.stopping.told:
                return
            self._announce(time.monotonic() - began)
            while not self.stopping.told:
                self._bury_orphans()
                self._look_after_database()
                for child in self.children:
                    self._look_after(child, environ, told=True)
                self.stopping.wait(LOOK_S)
        finally:
            self._stop_children()

    def _bury_orphans(self) -> None:
        """Take note of the end of those who were handed to us because who started them is gone.

        In a container we may be process 1, to whom that happens, and nobody else would: they would fill its table.
        """
        started = [self.keeper, *(child.process for child in self.children)]
        ours = {each.pid: each for each in started if each is not None}
        while (pid := _ended()) is not None:
            if pid in ours:
                ours[pid].poll()
            else:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def _look_after_database(self) -> None:
        """Start the embedded server again when it has ended; the processes find it by themselves."""
        database, now = self.database, time.monotonic()
        if database.cluster is None or database.cluster.runs() or now < database.start_at:
            return
        RESTARTS.count(name="database")
        self.say("the database ended; it starts again")
        database.deaths = 1 if now - database.started_at > WELL_AFTER_S else database.deaths + 1
        try:
            database.cluster.start()
        except (GroundError, OSError, psycopg.Error) as error:
            self.say(f"the database does not start: {str(error).strip()}")
        database.started_at = time.monotonic()
        pause = min(LONGEST_DATABASE_PAUSE_S, FIRST_PAUSE_S * 2 ** min(database.deaths - 1, 9))
        database.start_at = database.started_at + pause

    def _until_ready(self, environ: dict[str, str]) -> None:
        until = time.monotonic() + READY_S
        while not self.stopping.told:
            for child in self.children:
                self._look_after(child, environ, told=False)
            if all(child.ready for child in self.children):
                return
            if time.monotonic() > until:
                raise GroundError(f"Not ready after {READY_S:.0f} s: {self._late()}. What it said stands above")
            self.stopping.wait(LOOK_S)

    def _late(self) -> str:
        return ", ".join(child.name for child in self.children if not child.ready)

    def _planned(self, folder: Path, listen: tuple[int, ...]) -> list[Child]:
        webs, live = [str(each) for each in web_sockets(folder, self.plan.web_workers)], str(socket_in(folder, "live"))
        workers = str(self.plan.web_workers)
        listening = [str(number) for number in listen]
        hand = str(socket_in(folder, "hand"))
        order = ["front", "--web", *webs, "--live", live, "--hand", hand, "--listen", *listening]
        front = Child("front", order, listen, patience_s=8)
        return [
            *(
                Child(f"web {number}", ["web", "--socket", web, "--workers", workers], probe=(web, "/readyz"))
                for number, web in enumerate(webs, 1)
            ),
            Child("live", ["live", "--socket", live, "--hand", hand], probe=(live, "/live/ready"), patience_s=7),
            *(Child(f"work {number + 1}", ["work"]) for number in range(self.plan.work)),
            *(Child(f"plan {number + 1}", ["plan"]) for number in range(self.plan.plan)),
            front,
            *self._keeper_of_backups(),
            *([] if self.plan.speed is None else [Child("simulator", ["simulate", "--speed", str(self.plan.speed)])]),
        ]

    def _keeper_of_backups(self) -> list[Child]:
        if not (self.plan.backup and self.config.backup_hours and (self.config.embedded or self.config.owner_url)):
            return []
        return [Child("backup", ["backup"], environ={"LIANZAO_OWNER_URL": postgres.owner_url(self.config)})]

    def _look_after(self, child: Child, environ: dict[str, str], told: bool) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                self._start(child, environ)
            return
        code = child.process.poll()
        if code is None:
            if not child.ready:
                child.ready = self._is_ready(child)
            return
        self._forget(child)
        RESTARTS.count(name=child.name)
        child.deaths = 1 if now - child.started_at > WELL_AFTER_S else child.deaths + 1
        if not told and child.deaths >= TRIES_BEFORE_READY:
            raise GroundError(f"{child.name} does not start ({_how(code)}). What it said stands above")
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(child.deaths - 1, 9))
        child.start_at = now + pause
        self.say(f"{child.name} ended ({_how(code)}); it starts again in {pause:.1f} s")

    def _start(self, child: Child, environ: dict[str, str]) -> None:
        order = [sys.executable, "-m", "project.processes", *child.arguments]
        given = list(child.sockets)
        writing = None
        if child.probe is None:
            child.pipe, writing = os.pipe()
            os.set_blocking(child.pipe, False)
            order += ["--ready", str(writing)]
            given.append(writing)
        try:
            child.process = subprocess.Popen(
                order, env=environ | child.environ, pass_fds=given, stdin=subprocess.DEVNULL, start_new_session=True
            )
        finally:
            if writing is not None:
                os.close(writing)
        child.started_at = time.monotonic()

    @staticmethod
    def _is_ready(child: Child) -> bool:
        if child.probe is not None:
            return answers(*child.probe)
        assert child.pipe is not None
        try:
            said = os.read(child.pipe, 100)
        except BlockingIOError:
            return False
        if said:
            os.close(child.pipe)
            child.pipe = None
        return bool(said)

    @staticmethod
    def _forget(child: Child) -> None:
        if child.process is not None:
            _kill_group(child.process.pid)  # what it left behind of its own workers
        child.process = None
        child.ready = False
        if child.pipe is not None:
            os.close(child.pipe)
            child.pipe = None

    def _announce(self, seconds: float) -> None:
        host = self.config.host if self.config.host not in ("0.0.0.0", "::") else "127.0.0.1"
        shown = f"[{host}]" if ":" in host else host
        scheme = "https" if self.config.secure else "http"
        self.say(f"ready in {seconds:.1f} s: {scheme}://{shown}:{self.config.port}/   (Ctrl-C stops)")
        if self.pair is not None and self.pair.own:
            from project import trust

            for line in trust.told(self.config, self.config.tls_folder / "ca.crt"):
                self.say(line)
        for line in self.plan.told():
            self.say(line)

    # -- stopping -----------------------------------------------------------------------------------------------------

    def _stop_children(self) -> None:
        """First who brings work in, then who answers, then who carries out; each may end what it has in hand."""
        order = {"simulator": 0, "front": 0, "web": 1, "live": 1}  # by the first word of the name
        for step in (0, 1, 2):
            group = [child for child in self.children if order.get(child.name.split()[0], 2) == step]
            for child in group:
                if child.process is not None and child.process.poll() is None:
                    child.process.terminate()
            for child in group:
                if child.process is not None:
                    self._wait_for(child)
                    self._forget(child)

    def _wait_for(self, child: Child) -> None:
        assert child.process is not None
        try:
            child.process.wait(child.patience_s)
        except subprocess.TimeoutExpired:
            self.say(f"{child.name} did not end within {child.patience_s:.0f} s and is killed")
            _kill_group(child.process.pid)
            child.process.wait()

    def _start_keeper(self) -> subprocess.Popen[bytes]:
        """Who stops the database if we are killed hard."""
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "LIANZAO_DATA": str(self.config.data)}
        order = [sys.executable, "-m", "project.processes", "ground"]
        return subprocess.Popen(order, env=environ, stdin=subprocess.PIPE, start_new_session=True)


def _whatever_becomes_of_it(say: Callable[[str], None]) -> Callable[[str], None]:
    """The log may lie on a full disk, or its reader be gone: that must not end what runs."""

    def said(text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            say(text)

    return said


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def answers(path: str, target: str) -> bool:
    """Whether a process answers 200 on its Unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(2)
            made.connect(path)
            made.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return made.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _ended() -> int | None:
    """A child that ended and of whose end nobody took note yet; it is left as it is."""
    if not hasattr(os, "waitid"):
        return None
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if found is None else found.si_pid


def refuse_plain(config: Config) -> None:
    """Raise GroundError where passwords would cross a network in the clear."""
    if config.secure or config.proxies or _only_here(config.host):
        return
    raise GroundError(
        f"Plain HTTP is for this machine alone, and {config.host} is reachable by others. Serve HTTPS "
        "(lianzao serve --https, or LIANZAO_TLS_CERT and LIANZAO_TLS_KEY), or, if a proxy in front ends TLS, name its "
        "address in LIANZAO_PROXY"
    )


def _only_here(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return True  # that it cannot be listened on is told in its own words
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


@contextlib.contextmanager
def alone(config: Config) -> Iterator[None]:
    """Be the only supervisor of the data folder. Raises GroundError naming the other."""
    until = time.monotonic() + LOCK_S
    try:
        config.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GroundError(f"{config.data} cannot be made ({error.strerror}): choose another LIANZAO_DATA") from error
    while True:
        with serving(config.data, "serve") as ours:
            if ours:
                yield
                return
        holder = (config.data / "serving.lock").read_text(encoding="ascii", errors="replace").split()
        if holder[:1] == ["serve"] or time.monotonic() > until:
            who = f" (process {holder[1]})" if len(holder) > 1 else ""
            raise GroundError(
                f"Lianzao runs in {config.data} already{who}: use it, stop it, or choose another LIANZAO_DATA"
            )
        time.sleep(0.2)  # another command, or the one who clears up after a crash, is done in a moment


@contextlib.contextmanager
def opened(host: str, port: int) -> Iterator[list[socket.socket]]:
    """The sockets of the address, bound before anything else starts. Raises GroundError when it is taken."""
    made: list[socket.socket] = []
    try:
        try:
            for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                made.append(socket.socket(family, kind, protocol))
                _listen(made[-1], family, address)
        except OSError as error:
            raise GroundError(_why_not(host, port, error)) from error
        yield made
    finally:
        for each in made:
            each.close()


def _listen(made: socket.socket, family: int, address: tuple[object, ...]) -> None:
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(address)
    made.listen(1024)


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is used by another program: stop it, or choose another port (--port {port + 1})"
    if error.errno == errno.EACCES:
        return f"Only root may listen on port {port}: choose one from 1024 on (--port 8000)"
    return f"Lianzao cannot listen on {host}, port {port} ({error.strerror}): choose another --host or --port"


@contextlib.contextmanager
def run_folder(config: Config) -> Iterator[Path]:
    """A folder only we may enter, for the processes' sockets; its path is short enough for them."""
    place = config.data / "run"
    if len(os.fsencode(place)) > LONGEST_SOCKET - len("/web-100-4194304.sock"):
        with tempfile.TemporaryDirectory(prefix="lianzao-") as short:
            yield Path(short)
        return
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.chmod(0o700)
    for each in place.glob("*.sock"):
        each.unlink(missing_ok=True)
    yield place
    for each in place.glob("*.sock"):
        each.unlink(missing_ok=True)


def web_sockets(folder: Path, count: int) -> list[Path]:
    """The sockets of the web processes."""
    return [socket_in(folder, f"web-{number}") for number in range(1, count + 1)]


def socket_in(folder: Path, name: str) -> Path:
    """The socket of a process of ours. Who outlives a supervisor that was killed takes only his own away at his end."""
    return folder / f"{name}-{os.getpid()}.sock"
