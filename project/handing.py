"""Handing a connection from the front to the process that will speak on it (SCM_RIGHTS). The other end: handed.py."""

from __future__ import annotations

import socket

#: Where the live process's application takes listeners over; its process is granian's, so it is told by environment.
HAND = "LIANZAO_HAND"


class Hand:
    """The front's end: passes connections on, as long as somebody takes them."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._made: socket.socket | None = None

    def give(self, head: bytes, connection: int) -> bool:
        """Pass on an open connection; whether it was taken. A copy of it stays open here until it is closed."""
        for _ in range(2):
            try:
                if self._made is None:
                    self._made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                    self._made.setblocking(False)
                    self._made.connect(self.path)
                socket.send_fds(self._made, [head], [connection])
            except BlockingIOError:
                return False
            except OSError:  # the live process went away; perhaps there is a new one already
                self.close()
            else:
                return True
        return False

    def close(self) -> None:
        """Give up."""
        if self._made is not None:
            self._made.close()
            self._made = None
