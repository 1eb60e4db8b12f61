"""The web process's application: Django behind the front."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from project import lifeline

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
lifeline.hold(hard=True)
_django = get_wsgi_application()

#: Django reads only as many bytes as Content-Length says, so a chunked body is read whole first; files come with one.
CHUNKED_LIMIT = 10 * 1024 * 1024
PIECE = 64 * 1024


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """One request."""
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked" and not environ.get("CONTENT_LENGTH"):
        body = environ["wsgi.input"].read(CHUNKED_LIMIT + 1)
        if len(body) > CHUNKED_LIMIT:
            start_response("411 Length Required", [("Content-Type", "text/plain; charset=utf-8")])
            return ["请求须带 Content-Length。 Send a Content-Length.\n".encode()]
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = io.BytesIO(body)
    response = _django(environ, start_response)
    _read_on(environ)
    return response


def _read_on(environ: dict[str, Any]) -> None:
    """Take in what is left of a large body, before an answer that did not wait for it (a refusal) goes out.

    Else the server closes the connection on a caller who is still sending, and he never reads why. The front lets
    nothing larger through than its own limit; what is small lies in the socket already.
    """
    length = environ.get("CONTENT_LENGTH", "")
    if length.isdigit() and int(length) > PIECE:
        while environ["wsgi.input"].read(PIECE):
            pass


def warm_up() -> None:
    """Build all routes, and load the planner's kernels beside it, before the first caller waits for them."""
    from django.urls import get_resolver

    from lianzao.engine import solver
    from lianzao.foundation import tracing
    from project import memory, monitoring

    get_resolver().url_patterns  # noqa: B018
    monitoring.begin("web")
    tracing.begin("web")
    memory.settle()
    threading.Thread(target=solver.warm, name="warm", daemon=True).start()


warm_up()
