"""`make soak`: the leader of three PostgreSQL nodes under Patroni is lost under load, SOAK_FAILOVERS times.

Told for each: how long nothing was acknowledged. At the end every acknowledged report is there, once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from project.config import ROOT
from project.postgres import APPLICATION, OWNER
from tests.failover import patronis, versions
from tests.ground.test_supervisor import Serving, free_port
from tests.kills import reporting

pytestmark = pytest.mark.soak
FAILOVERS = int(os.environ.get("SOAK_FAILOVERS", "3"))
CLIENTS = 4
STEADY_S = 5.0
LONGEST_GAP_S = 40.0

SHOP = f"""
import django, json
django.setup()
from tests.bench.life import Shop, reports_to_make
print(json.dumps(reports_to_make(Shop.build(backflush=(True,)), {CLIENTS})))
"""


def test_no_acknowledged_report_is_lost_when_the_leader_is(tmp_path: Path) -> None:
    with patronis(tmp_path) as made:
        serving = Serving(tmp_path / "data", free_port())
        serving.settings = {
            "LIANZAO_DATABASE_URL": made.url(APPLICATION),
            "LIANZAO_OWNER_URL": made.url(OWNER),
            "LIANZAO_WEB_WORKERS": "2",
            "LIANZAO_BACKUP_HOURS": "0",
        }
        ready = serving.once("database", "setup", LIANZAO_ADMIN_URL=made.url("postgres", "postgres"))
        assert ready.returncode == 0, ready.stderr

        def inside(code: str) -> str:
            start = "import django; django.setup()\nfrom lianzao.foundation import registry; registry.load()\n"
            environ = serving.environ() | {"DJANGO_SETTINGS_MODULE": "project.settings"}
            done = subprocess.run(
                [sys.executable, "-c", start + code], env=environ, capture_output=True, text=True, cwd=ROOT
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        shop = json.loads(inside(SHOP))
        gaps: list[float] = []
        try:
            serving.start()

            def settled_books(code: str) -> str:
                until = time.monotonic() + 60
                while json.loads(said := inside(code))["waiting"] and time.monotonic() < until:
                    time.sleep(0.5)
                return said

            with reporting(serving.port, shop, settled_books) as clients:
                seen = Acknowledged(lambda: sum(len(each.acknowledged) for each in clients))
                for _ in range(FAILOVERS):
                    leader = made.settled()
                    time.sleep(STEADY_S)
                    seen.mark()
                    made.pull_the_plug(leader)
                    gaps.append(seen.longest_until_steady())
                    made.begin(leader)  # the machine comes back: pg_rewind makes it a standby
                leader = made.settled()
                time.sleep(STEADY_S)
                seen.mark()
                made.hand_over(leader)
                handed_over = seen.longest_until_steady()
                made.settled()
                seen.stop()
            count = sum(len(each.acknowledged) for each in clients)
            resent = sum(each.resent for each in clients)
        finally:
            serving.close()
        told = ", ".join(f"{gap:.1f} s" for gap in gaps)
        told += f", and for {handed_over:.1f} s when handed over"
        print(f"\n{versions(made)}: {FAILOVERS} leaders lost; no write acknowledged for {told}; "
              f"{count} reports acknowledged, each there once; {resent} sent again")  # fmt: skip
        assert max(gaps) < LONGEST_GAP_S


class Acknowledged:
    """Watches how many reports were acknowledged, a hundred times a second."""

    def __init__(self, count) -> None:
        self.count = count
        self.changes: list[float] = [time.monotonic()]
        self._told = False
        self._from = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        before = self.count()
        while not self._told:
            time.sleep(0.01)
            now = self.count()
            if now != before:
                self.changes.append(time.monotonic())
                before = now

    def mark(self) -> None:
        """The gap is looked for from here on."""
        self._from = time.monotonic()

    def longest_until_steady(self) -> float:
        """The longest time without an acknowledgement, once reports have gone through for five seconds again."""
        until = time.monotonic() + 90
        while time.monotonic() < until:
            time.sleep(0.2)
            now = time.monotonic()
            recent = [at for at in self.changes if at > now - STEADY_S]
            gone = [(one, other) for one, other in pairwise(self.changes) if other > self._from]
            longest = max(((other - one) for one, other in gone), default=0.0)
            broke = now - self._from > STEADY_S + 1 and longest > 0.5
            if broke and len(recent) > 20 and max(b - a for a, b in pairwise(recent)) < 1.0:
                return longest
        raise AssertionError("reports do not go through any more")

    def stop(self) -> None:
        """Watch no longer."""
        self._told = True
