"""The product on a small disk that gets full under load, and has room again: a program, run by tests/smalldisk.py.

`python -m tests.diskfull FOLDER` serves a shop from a disk of its own under FOLDER, with its database, log and uploads;
clients report all the time. It prints what was seen as JSON, and fails when a report was lost, doubled or half written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.sql import SQL

from project.postgres import Cluster
from tests.kills import reporting
from tests.served import Served, furnished, served
from tests.smalldisk import bind, small

MEGABYTES = 160
ROWS = "code,name\n" + "".join(f"X-{number},{'long ' * 40}\n" for number in range(20_000))


def main(folder: Path) -> dict[str, Any]:
    """Fill, look, empty, look again."""
    small(folder, MEGABYTES)
    data, home = folder / "data", Cluster(folder / "data" / "postgres").home
    (folder / "database").mkdir(mode=0o700)
    (folder / "uploads").mkdir()
    if home != data / "postgres":  # of root's, which lies elsewhere
        home.mkdir(mode=0o700)
        bind(folder / "database", home)
    shop = furnished(data)
    told = {"TMPDIR": str(folder / "uploads")}
    with (folder / "log").open("w") as log, served(data, told, log) as product:
        with reporting(product.port, shop, product.inside) as clients:
            time.sleep(1.0)
            before = sum(len(each.acknowledged) for each in clients)
            ballast = fill(folder)
            seen = look(product, shop["token"], folder)
            ballast.unlink()
            emptied = time.monotonic()
            known = sum(len(each.acknowledged) for each in clients)
            while sum(len(each.acknowledged) for each in clients) < known + 20:
                assert time.monotonic() < emptied + 60, "it did not go on"
                time.sleep(0.05)
            seen["goes on after s"] = round(time.monotonic() - emptied, 1)
            with suppress(OSError):
                seen["ready"] = ask(product, "/readyz")
        assert product.process.poll() is None, "the supervisor went"
        seen["acknowledged"] = [before, sum(len(each.acknowledged) for each in clients)]
        seen["told"] = dict(sum((each.told for each in clients[1:]), clients[0].told))
        seen["uploads left"] = [each.name for each in (folder / "uploads").iterdir() if each.is_file()]
    return seen


def fill(folder: Path) -> Path:
    """Take all room there is, and go on taking what becomes free."""
    path = folder / "ballast"
    file = os.open(path, os.O_WRONLY | os.O_CREAT)

    def take() -> None:
        while path.exists():
            with suppress(OSError):
                while path.exists() and os.write(file, bytes(65536)):
                    pass
            time.sleep(0.01)
        os.close(file)

    threading.Thread(target=take, daemon=True).start()
    time.sleep(0.3)
    return path


def look(product: Served, token: str, folder: Path) -> dict[str, Any]:
    """What it says of itself while there is no room: first with the database up, then when that has given up too."""
    seen: dict[str, Any] = {"free": os.statvfs(folder).f_bavail}
    seen["upload"] = upload(product, token)
    seen["full"] = ask(product, "/readyz")
    # When the next piece of its log does not fit, PostgreSQL panics, and cannot recover before there is room.
    until = time.monotonic() + 15
    while time.monotonic() < until:
        try:
            product.cluster.execute(SQL("SELECT pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()"))
        except psycopg.Error as error:
            seen["panic"] = str(error)
            break
    while product.cluster.runs() and time.monotonic() < until:
        time.sleep(0.05)
    seen["database"] = "up" if product.cluster.runs() else "down"
    order = [sys.executable, "-m", "project.cli", "doctor"]
    doctor = subprocess.Popen(order, env=product.environ, stdout=subprocess.PIPE, text=True)
    seen["down"] = ask(product, "/readyz")
    seen["doctor"] = doctor.communicate()[0]
    return seen


def ask(product: Served, path: str) -> dict[str, Any]:
    said = httpx.get(f"http://127.0.0.1:{product.port}{path}", timeout=20, trust_env=False)
    return {"http": said.status_code, **said.json()}


def upload(product: Served, token: str) -> dict[str, Any]:
    """Send a file that is too large for memory: it goes to the disk first."""
    said = httpx.post(
        f"http://127.0.0.1:{product.port}/api/foundation/import", timeout=20, trust_env=False,
        headers={"Authorization": f"Bearer {token}", "Accept-Language": "en"},
        data={"kind": "catalog.item", "dry_run": "false"}, files={"file": ("items.csv", ROWS.encode())},
    )  # fmt: skip
    return {**said.json(), "status": said.status_code}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
