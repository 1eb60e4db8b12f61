"""The real product for a browser: the supervisor with all its processes, on a database of the test's own."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType

from project.config import ROOT

READY_S = 90.0


class Product:
    """`lianzao serve` on a given database, on a port of its own: a context manager; `url` is where it answers."""

    def __init__(self, application_url: str, owner_url: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory(prefix="lianzao-browser-")
        self.log = Path(self._folder.name) / "serve.log"
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LIANZAO_")},
            "LIANZAO_DATABASE_URL": application_url,
            "LIANZAO_OWNER_URL": owner_url,
            "LIANZAO_DATA": self._folder.name,
            "LIANZAO_SECRET_KEY": secrets.token_hex(32),
            "LIANZAO_WEB_WORKERS": "2",
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "PYTHONPATH": str(ROOT),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Product:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "project.cli", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=self._environ,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + READY_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                said = self.log.read_text("utf-8", "replace")[-4000:]
                self.__exit__(None, None, None)
                raise AssertionError(f"the product did not start:\n{said}")
            time.sleep(0.2)
        return self

    def _answers(self) -> bool:
        """All processes are ready, and the front lets us through to them."""
        if "ready in " not in self.log.read_text("utf-8", "replace"):
            return False
        with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as health:
            return health.status == 200

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        self._folder.cleanup()


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
