"""What runs behind the front, one kind to a process: `python -m project.processes web|live|work|plan|front|simulate|…`.

`work` and `plan` take deliveries until told to stop. They wake at a NOTIFY and look once a second anyway, live through
a lost database, and at SIGTERM finish the delivery in hand. Any number of each may run: `plan` holds a lease for each
site, so that a site has one planner, whose state may stay in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import importlib.util
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import psycopg

from project import config, handing, lifeline, logs

log = logging.getLogger("lianzao.processes")

POLL_S = 1.0
CONTENDED_S = 0.2  # something is overdue but another process has it in hand
LONGEST_PAUSE_S = 3.0  # a database that comes back is found soon, though it was away for long
SITES_S = 5.0
KEEP_HOUSE_S = 3600.0
BACKUP_LOOK_S = 60.0
#: What is asked of connections by all web processes together; PostgreSQL's own limit is 200 in the embedded cluster.
WEB_CONNECTIONS = 150


class Stopping:
    """Whether we were told to stop (SIGTERM, SIGINT). Waiting ends at once when we are."""

    def __init__(self) -> None:
        self.told = False
        self._read, self._write = socket.socketpair()
        for end in (self._read, self._write):
            end.setblocking(False)
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._tell)

    def _tell(self, *_: object) -> None:
        self.told = True

    def wait(self, seconds: float, also: psycopg.Connection[Any] | None = None) -> None:
        """Wait, at most so long, until we are told to stop or `also` has something to say."""
        if self.told:
            return
        watched = [self._read] if also is None else [self._read, also]
        select.select(watched, [], [], max(0.0, seconds))


def django_is_set_up() -> None:
    """Open the house."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()


@contextlib.contextmanager
def bell() -> Iterator[psycopg.Connection[Any]]:
    """A connection of our own that hears the wake-up."""
    from lianzao.foundation import wake

    with psycopg.connect(**wake.parameters(), autocommit=True) as connection:
        connection.execute(f"LISTEN {wake.CHANNEL}")
        yield connection


def carry_on(
    queues: Sequence[str],
    stopping: Stopping,
    *,
    ready: Callable[[], None] = lambda: None,
    chores: Callable[[], None] = lambda: None,
    lease: Lease | None = None,
) -> None:
    """Take deliveries of these queues until told to stop; come back when the database does."""
    from django.db import Error, connections

    pause = CONTENDED_S
    while not stopping.told:
        try:
            with bell() as heard:
                while not stopping.told:
                    wait = take_all(queues, stopping, lease)
                    chores()
                    ready()
                    pause = CONTENDED_S
                    connections.close_all()
                    stopping.wait(wait, heard)
                    for _ in heard.notifies(timeout=0):
                        pass
        except (Error, psycopg.Error) as error:
            log.warning("lost the database, again in %.1f s: %s", pause, str(error).strip())
            connections.close_all()
            if lease is not None:
                lease.drop()
            stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
    if lease is not None:
        lease.drop()
    connections.close_all()


def take_all(queues: Sequence[str], stopping: Stopping, lease: Lease | None = None) -> float:
    """Carry out what is due, for a second at most so that chores get their turn; gives how long nothing will be."""
    from lianzao.foundation import outbox

    until = time.monotonic() + POLL_S
    while not stopping.told and time.monotonic() < until:
        sites: Collection[UUID] | None = None if lease is None else lease.sites()
        together = outbox.TOGETHER if lease is None else 1  # whoever holds leases looks after them in between
        if outbox.work_once(queues, together, sites, lambda: stopping.told):
            continue
        due = outbox.next_due(queues, sites)
        if due is None:
            return POLL_S
        return min(POLL_S, due) if due > 0 else CONTENDED_S
    return 0.0


# -- the planner's leases ---------------------------------------------------------------------------------------------

TRY_LEASE = "SELECT pg_try_advisory_lock(hashtext('lianzao.plan'), hashtext(current_schema() || %s))"
END_LEASE = "SELECT pg_advisory_unlock(hashtext('lianzao.plan'), hashtext(current_schema() || %s))"


class Lease:
    """The sites this process plans for. A lease is an advisory lock of a connection held for nothing else.

    If the connection breaks, PostgreSQL gives the sites to whoever asks next, and we forget what we had of them.
    New sites are asked for one at each look, so that planners started together share them.
    """

    def __init__(self) -> None:
        self._held: set[UUID] = set()
        self._known: list[UUID] = []
        self._look_at = 0.0
        self._asking = False
        self._connection: psycopg.Connection[Any] | None = None

    def sites(self) -> Collection[UUID]:
        """The sites held now. Raises psycopg.Error when the connection that holds them is lost."""
        from lianzao.foundation import wake

        if self._connection is None:
            self._connection = psycopg.connect(**wake.parameters(), autocommit=True)
        if time.monotonic() >= self._look_at:
            self._look_at, self._asking = time.monotonic() + SITES_S, True
            self._connection.execute("SELECT 1")
            self._known = self._all_sites()
            for site in self._held - set(self._known):
                self._connection.execute(END_LEASE, [str(site)])
                self._forget(site)
        if self._asking:
            self._asking = self._gain(self._connection)
        return self._held

    def _gain(self, connection: psycopg.Connection[Any]) -> bool:
        for site in self._known:
            if site in self._held:
                continue
            row = connection.execute(TRY_LEASE, [str(site)]).fetchone()
            if row is not None and row[0]:
                self._held.add(site)
                log.debug("plans for site %s", site)
                return True
        return False

    @staticmethod
    def _all_sites() -> list[UUID]:
        from lianzao.access.queries import site_ids
        from lianzao.foundation.outbox import NO_SITE

        return [*site_ids(), NO_SITE]

    def _forget(self, site: UUID) -> None:
        self._held.discard(site)
        resident = module("lianzao.planning.resident")
        if resident is not None:
            resident.release(site)

    def drop(self) -> None:
        """Give all sites up, and what is in memory of them."""
        for site in list(self._held):
            self._forget(site)
        self._look_at = 0.0
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def module(name: str) -> ModuleType | None:
    """A module by name if there is one."""
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return importlib.import_module(name) if found is not None else None


# -- the keeper -------------------------------------------------------------------------------------------------------

SWEEP_DELIVERIES = """
DELETE FROM foundation_delivery WHERE id IN (
    SELECT id FROM foundation_delivery
    WHERE status IN ('done', 'dropped') AND made_at < clock_timestamp() - make_interval(days => %s) LIMIT 5000)
"""


def keep_house() -> dict[str, int]:
    """The chores of an hour: partitions to come, old done deliveries, ended sessions. Gives what was done, by name.

    Harmless when several processes do it at once.
    """
    from django.conf import settings
    from django.db import connection

    from lianzao.access import sessions
    from lianzao.foundation import partitions

    swept = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(SWEEP_DELIVERIES, [settings.CONFIG.keep_deliveries_days])
            swept += cursor.rowcount
            if cursor.rowcount < 5000:
                break
    return {"partitions": partitions.ensure(), "deliveries": swept, "sessions": sessions.sweep()} | _forget_runs(
        settings.CONFIG.keep_plan_runs_days
    )


def _forget_runs(days: int) -> dict[str, int]:
    """Forget planning runs of which nothing stands any more, a few thousand at a time."""
    planning = module("lianzao.planning.commands")
    if planning is None or not days:
        return {}
    from lianzao.foundation.actor import system_actor

    forgotten = 0
    while planning.are_runs_to_forget(days):
        done = planning.forget_plan_runs(system_actor("housekeeping"), older_than_days=days)
        if not done["forgotten"]:
            break
        forgotten += done["forgotten"]
    return {"planning runs": forgotten}


class Keeper:
    """Keeps house when its time has come; what fails is told and tried again at the next hour."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self) -> None:
        from django.db import Error, connections

        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + KEEP_HOUSE_S
        try:
            done = {name: count for name, count in keep_house().items() if count}
        except Error as error:
            log.error("the house could not be kept: %s", str(error).strip())
            connections.close_all()
            return
        if done:
            log.info("kept house: %s", ", ".join(f"{count} {name}" for name, count in done.items()))


# -- the kinds of process ---------------------------------------------------------------------------------------------


class Ready:
    """Tells the supervisor, once, that this process does its work."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def __call__(self) -> None:
        if self._descriptor is not None:
            os.write(self._descriptor, b"ready\n")
            os.close(self._descriptor)
            self._descriptor = None


def work(given: argparse.Namespace) -> None:
    """Carry out deliveries and what the clock asks for, and keep house."""
    stopping = Stopping()
    django_is_set_up()
    from lianzao.foundation import jobs, tracing
    from project import memory, monitoring

    monitoring.begin("work")
    tracing.begin("work")
    memory.settle()
    keeper = Keeper()

    def chores() -> None:
        keeper()
        jobs.run_due()

    carry_on(("work", "hooks"), stopping, ready=Ready(given.ready), chores=chores)


def plan(given: argparse.Namespace) -> None:
    """Carry out what needs the planner."""
    stopping = Stopping()
    django_is_set_up()
    from lianzao.engine import solver
    from lianzao.foundation import tracing
    from project import memory, monitoring

    monitoring.begin("plan")
    tracing.begin("plan")
    solver.warm()  # not while a transaction is open: compiling may take longer than the database lets one stand idle
    memory.settle()
    carry_on(("plan",), stopping, ready=Ready(given.ready), lease=Lease())


def web(given: argparse.Namespace) -> None:
    """Pages and API, in one process of several."""
    threads = max(2, min(16, WEB_CONNECTIONS // given.workers))
    _granian(given.socket, "project.wsgi:application", "wsgi", blocking_threads=threads)


def live(given: argparse.Namespace) -> None:
    """The live line."""
    if given.hand:
        os.environ[handing.HAND] = given.hand
    _granian(given.socket, "project.asgi:application", "asgi")


def _granian(path: str, target: str, interface: str, **more: Any) -> None:
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    os.environ.update(lifeline.environment())  # its own worker processes shall not outlive it either
    place = Path(path)
    place.unlink(missing_ok=True)
    Server(
        target,
        uds=place,
        uds_permissions=0o600,
        interface=Interfaces(interface),
        workers=1,
        backpressure=4096 if interface == "asgi" else None,
        websockets=False,
        workers_kill_timeout=5,
        respawn_failed_workers=True,
        log_level=LogLevels.error,
        log_dictconfig=logs.settings(config.load().log),
        **more,
    ).serve()


def front(given: argparse.Namespace) -> None:
    """The one origin, on sockets the supervisor opened."""
    from lianzao.foundation import figures, tracing
    from project.front import Front, Upstream
    from project.handing import Hand

    settings = config.load()
    figures.Writer(settings.figures_folder, "front").start()
    traced = tracing.asked(os.environ) and tracing.trouble(os.environ) is None

    async def serve() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        live = Upstream("live", given.live, hand=Hand(given.hand) if given.hand else None)
        made = Front(Upstream("web", *given.web), {b"/live": live}, traced=traced, **_doors(settings))
        await made.start([socket.socket(fileno=number) for number in given.listen])
        Ready(given.ready)()
        await stopped.wait()
        await made.stop()

    asyncio.run(serve())


def _doors(settings: config.Config) -> dict[str, Any]:
    """How the front lets callers in: by HTTPS with a certificate that is looked at anew, or believing a proxy."""
    if not settings.secure:
        return {"proxies": settings.proxies}
    from project import tls, trust

    pair = tls.prepare(settings)
    assert pair is not None
    context = tls.context(pair)

    def look() -> None:
        kept = tls.prepare(settings)  # makes our own anew when it is time; a given one may have been replaced
        assert kept is not None
        tls.load(context, kept)

    async def renew() -> None:
        await asyncio.get_running_loop().run_in_executor(None, look)

    # A browser that was told to insist on HTTPS shows no way past a certificate it does not know: so for a month only
    # where the authority is our own.
    days = 30 if pair.own else 365
    own = trust.pages(settings, settings.tls_folder / "ca.crt") if pair.own else {}
    port = settings.port if settings.http_port is not None else None
    return {"ssl": context, "renew": renew, "own": own, "hsts_s": days * 86400, "https_port": port}


def simulate(given: argparse.Namespace) -> None:
    """The life of the demo plant."""
    stopping = Stopping()
    django_is_set_up()
    from lianzao.foundation import tracing
    from project import monitoring

    monitoring.begin("simulate")
    tracing.begin("simulate")
    simulator = importlib.import_module("demo.simulator")
    Ready(given.ready)()
    simulator.run(speed=given.speed, stopping=lambda: stopping.told)


def backup(given: argparse.Namespace) -> None:
    """Make backups when they are due."""
    stopping = Stopping()
    from lianzao.foundation import figures
    from project import backup as backups

    settings = config.load()
    backups.watch()
    figures.Writer(settings.figures_folder, "backup").start()
    keeper = backups.Keeper(settings)
    Ready(given.ready)()
    while not stopping.told:
        keeper.look()
        stopping.wait(BACKUP_LOOK_S)


def ground(given: argparse.Namespace) -> None:
    """Stop the embedded PostgreSQL when the supervisor is gone, however it went: its end of our input then closes."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Ready(given.ready)()
    told = sys.stdin.readline()
    if told.strip() == "stopped":
        return
    from project import backup, postgres

    time.sleep(given.grace)  # let those that are ending say their last words to the database
    backup.clear_scratch(config.load())
    cluster = postgres.cluster_of(config.load())
    with serving(config.load().data, "ground") as alone:
        if alone:
            cluster.stop()


@contextlib.contextmanager
def serving(data: Path, role: str) -> Iterator[bool]:
    """Hold the data folder for one supervisor; false when another has it (who, says the file `serving.lock`)."""
    import fcntl

    data.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data / "serving.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{role} {os.getpid()}\n".encode())
            yield True
    finally:
        os.close(descriptor)


KINDS = {each.__name__: each for each in (web, live, work, plan, front, simulate, backup, ground)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one kind of process. The supervisor calls this; so may other supervisors (systemd, containers)."""
    parser = argparse.ArgumentParser(prog="python -m project.processes", description=main.__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--socket", help="Unix socket to listen on (web, live)")
    parser.add_argument("--workers", type=int, default=2, help="how many of us there are (web)")
    parser.add_argument("--listen", type=int, nargs="*", default=[], help="open sockets to take over (front)")
    parser.add_argument("--web", nargs="+", help="Unix socket of the web (front)")
    parser.add_argument("--live", help="Unix socket of the live line (front)")
    parser.add_argument("--hand", help="Unix socket by which the front hands listeners over (live, front)")
    parser.add_argument("--speed", type=float, default=1.0, help="plant seconds in a real one (simulate)")
    parser.add_argument("--grace", type=float, default=2.0, help="seconds to wait for the others (ground)")
    parser.add_argument("--ready", type=int, help="descriptor to tell on that we are ready")
    given = parser.parse_args(arguments)
    logs.begin(config.load().log, given.kind)
    if given.kind != "ground":
        lifeline.hold()
    KINDS[given.kind](given)


if __name__ == "__main__":
    main()
