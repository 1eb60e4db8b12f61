"""The bare view that lists and records are measured against: plain Django, no middleware, one raw SELECT, JSON.

`python -m tests.bench.bare SOCKET` serves it as a web process of the product is served: the same WSGI server, threads,
database settings and encoder. `GET /<name>` runs the statement of that name of the file LIANZAO_BARE names (JSON:
name → [sql, parameters, columns]) and answers its rows as objects. Nobody is asked who he is or what he may see.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from lianzao.foundation import packing

STATEMENTS = json.loads(Path(os.environ["LIANZAO_BARE"]).read_text(encoding="utf-8"))


def bare(request: HttpRequest, name: str) -> HttpResponse:
    """The rows of a statement."""
    sql, parameters, columns = STATEMENTS[name]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    body = packing.dumps({"rows": rows})
    return HttpResponse(body, content_type="application/json", headers={"Content-Length": str(len(body))})


urlpatterns = [path("<name>", bare)]


def _application():
    from project.settings import DATABASES

    settings.configure(
        DATABASES=DATABASES, ROOT_URLCONF=__name__, MIDDLEWARE=[], ALLOWED_HOSTS=["*"], USE_TZ=True, SECRET_KEY="bench"
    )
    return get_wsgi_application()


if __name__ == "__main__":
    from project.processes import WEB_CONNECTIONS, _granian

    _granian(
        sys.argv[1], "tests.bench.bare:application", "wsgi",
        blocking_threads=max(2, min(16, WEB_CONNECTIONS // int(sys.argv[2]))),
    )  # fmt: skip
else:
    application = _application()
