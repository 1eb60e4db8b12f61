"""Whether Lianzao answers on this machine: `python -m project.alive`, what a container's health check runs.

Exit code 0 when it does. By HTTPS the certificate is not looked at: its name is for those who come from outside.
"""

from __future__ import annotations

import http.client
import ssl
import sys
from collections.abc import Mapping

from project import config

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
PATIENCE_S = 4.0


def answers(environ: Mapping[str, str] | None = None) -> bool:
    """Whether `/healthz` says that it lives."""
    settings = config.load(environ)
    host = ANYWHERE.get(settings.host, settings.host)
    line: http.client.HTTPConnection
    if settings.secure:
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        line = http.client.HTTPSConnection(host, settings.port, timeout=PATIENCE_S, context=unchecked)
    else:
        line = http.client.HTTPConnection(host, settings.port, timeout=PATIENCE_S)
    try:
        line.request("GET", "/healthz", headers={"Host": "127.0.0.1"})
        return line.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


if __name__ == "__main__":
    sys.exit(0 if answers() else 1)
