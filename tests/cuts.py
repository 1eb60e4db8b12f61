"""A wire that is cut: a proxy between the processes and PostgreSQL that drops connections at the worst moments."""

from __future__ import annotations

import random
import select
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104


class Wire:
    """Passes bytes between clients and a server's Unix socket; cuts connections at random, and now and then all.

    `mode` says when: never; "anyhow" at random instants; "commit" after a COMMIT was passed on and before its answer
    comes back, so that who sent it cannot know; "away": nobody gets through.
    """

    def __init__(self, server: Path, seed: int = 1) -> None:
        self.server = server
        self.mode = ""
        self.cuts: Counter[str] = Counter()
        self.chance = random.Random(seed)
        self.often = 0.004
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listening.getsockname()[1])
        self.open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, role: str, name: str) -> str:
        return f"postgresql://{role}@127.0.0.1:{self.port}/{name}?sslmode=disable&gssencmode=disable"

    def cut_all(self) -> None:
        """Every connection that stands."""
        self.cuts["all"] += 1
        for each in list(self.open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # its own thread closes it

    def close(self) -> None:
        self.mode = "away"
        self.listening.close()
        self.cut_all()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                if self.mode == "away":
                    client.close()
                    continue
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        behind = socket.socket(socket.AF_UNIX)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            behind.connect(str(self.server))
            self.open.add(client)
            while self.mode != "away":
                ready, _, _ = select.select([client, behind], [], [], 1.0)
                for each in ready:
                    data = each.recv(65536)
                    if not data or self._cut(each is client, data):
                        return
                    (behind if each is client else client).sendall(data)
                    if each is client and self._cut_after(data, behind):
                        return
        except OSError:
            return
        finally:
            self.open.discard(client)
            _end(client)
            behind.close()

    def _cut(self, sent: bool, data: bytes) -> bool:
        """Before these bytes are passed on."""
        if self.mode == "anyhow" and self.chance.random() < self.often:
            self.cuts["sent" if sent else "answer"] += 1
            return True
        return False

    def _cut_after(self, data: bytes, behind: socket.socket) -> bool:
        """After these bytes were passed on: the server carries them out, and nobody hears of it."""
        if self.mode == "commit" and b"COMMIT" in data and self.chance.random() < 0.05:
            select.select([behind], [], [], 2.0)  # it has answered
            self.cuts["commit"] += 1
            return True
        return False


def _end(made: socket.socket) -> None:
    with suppress(OSError):
        made.shutdown(socket.SHUT_RDWR)
    made.close()


class Impatient(threading.Thread):
    """Closes the socket in the middle of its request, at any instant, and sends it again with the same order id."""

    def __init__(self, port: int, request: bytes, seed: int) -> None:
        super().__init__(daemon=True)
        self.port, self.request, self.chance = port, request, random.Random(seed)
        self.answers: list[bytes] = []
        self.left = 0

    def run(self) -> None:
        """Leave a dozen times, then wait for the answer."""
        for turn in range(12):
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as made:
                if turn < 11:
                    made.sendall(self.request[: self.chance.randrange(1, len(self.request) * 2)])
                    time.sleep(self.chance.uniform(0, 0.03))
                    self.left += 1
                    continue
                made.sendall(self.request)
                data = b""
                while piece := made.recv(65536):
                    data += piece
                self.answers.append(data)
