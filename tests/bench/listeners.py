"""Many listeners on the live line in one cheap process: `python -m tests.bench.listeners PORT KEY COUNT TOPIC`.

Prints "open" when all have had their hello; reads until its input is closed; then prints as JSON how many messages
came, and how long after their event was published (the time in its id, whole milliseconds) the listeners had them.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from array import array

NEWS = re.compile(rb"id: \d+:([0-9a-f]{8})-([0-9a-f]{4})-[0-9a-f-]+\nevent: (?!hello)")


def main() -> None:
    """Listen."""
    port, key, count, topic = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    ask = f"GET /live?topics={topic} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: lianzao_session={key}\r\n\r\n".encode()
    poll = select.epoll()
    lines: dict[int, socket.socket] = {}
    for _ in range(count):
        made = socket.create_connection(("127.0.0.1", port), timeout=30)
        made.sendall(ask)
        heard = b""
        while b"event: hello" not in heard:
            piece = made.recv(65536)
            assert piece and (not heard or b" 200 " in heard[:20]), heard + piece
            heard += piece
        made.setblocking(False)
        lines[made.fileno()] = made
        poll.register(made.fileno(), select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    print("open", flush=True)
    late = array("d")
    while True:
        for number, _ in poll.poll():
            if number == 0:
                late_ones = sorted(late)
                place = [late_ones[min(len(late_ones) - 1, int(len(late_ones) * share))] for share in (0.5, 0.99, 1)]
                print(json.dumps({"heard": len(late), "median": place[0], "p99": place[1], "most": place[2]}))
                return
            data = lines[number].recv(65536)
            now = time.time() * 1000
            assert data, "a line was closed"
            for found in NEWS.finditer(data):
                late.append(now - int(found[1] + found[2], 16))


if __name__ == "__main__":
    main()
