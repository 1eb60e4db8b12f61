"""From the fact to the changed plan on a screen: the demo plant, its real processes, one listener on the live line.

Reference of the same run: the round trip of the smallest authenticated read (GET /api/clock) through the same front.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lianzao.values.time import uuid7

pytestmark = pytest.mark.bench
ROUNDS = 20


class Browser:
    """A signed-in person, as far as HTTP goes."""

    def __init__(self, base: str, login: str) -> None:
        self.base = base
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        try:
            self.call("GET", "/api/access/me")
        except urllib.error.HTTPError as refused:
            assert refused.code == 401
        self.call("POST", "/api/access/login", {"login": login, "password": "lianzao"})

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A JSON answer."""
        request = urllib.request.Request(
            self.base + path, method=method, data=None if body is None else json.dumps(body).encode()
        )
        request.add_header("Content-Type", "application/json")
        for cookie in self.jar:
            if cookie.name == "csrftoken":
                request.add_header("X-CSRFToken", str(cookie.value))
        if method == "POST":
            request.add_header("Idempotency-Key", str(uuid7()))
        with self.opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def hear(self, topic: str, heard: list[float]) -> None:
        """Note when news of a topic comes, until the line is cut."""
        with self.opener.open(f"{self.base}/live?topics={topic}", timeout=120) as line:
            for row in line:
                if row.decode().strip() == f"event: {topic}":
                    heard.append(time.monotonic())


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[str]:
    """The demo plant without its simulator, at an address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    order = [sys.executable, "-m", "project.cli", "demo", "--no-simulator", "--port", str(port)]
    environ = os.environ | {"LIANZAO_DATA": str(tmp_path), "LIANZAO_DATABASE_URL": "", "LIANZAO_OWNER_URL": ""}
    process = subprocess.Popen(order, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for row in process.stdout:
            if row.startswith("ready in"):
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_a_moved_shipment_changes_the_plan_on_the_screen_within_a_second(plant: str) -> None:
    planner, buyer = Browser(plant, "planner"), Browser(plant, "buyer")
    heard: list[float] = []
    threading.Thread(target=planner.hear, args=("planning.PlanChanged", heard), daemon=True).start()
    time.sleep(1)
    asn = buyer.call("GET", "/api/procurement/asn?status=announced&sort=number&limit=1")["rows"][0]
    eta = datetime.fromisoformat(asn["eta_at"].replace("Z", "+00:00"))
    whole: list[float] = []
    floor: list[float] = []
    for number in range(ROUNDS):
        at = time.monotonic()
        planner.call("GET", "/api/clock")
        floor.append(time.monotonic() - at)
        moved = (eta + timedelta(days=0 if number % 2 else 3)).isoformat()
        at = time.monotonic()
        buyer.call("POST", "/api/procurement/change_eta", {"asn": asn["id"], "eta_at": moved, "reason": "bench"})
        while not heard or heard[-1] < at:
            assert time.monotonic() - at < 10, "no new plan was heard of"
            time.sleep(0.002)
        whole.append(heard[-1] - at)
        time.sleep(0.4)
    p95 = sorted(whole)[int(ROUNDS * 0.95) - 1]
    print(
        f"\nfact → changed plan → screen: median {statistics.median(whole) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms; "
        f"floor (one read): median {statistics.median(floor) * 1000:.1f} ms, "
        f"ratio {statistics.median(whole) / statistics.median(floor):.0f}"
    )
    assert p95 < 1
