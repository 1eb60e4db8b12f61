"""The live process's application: the foundation's live line, which learns from the access room who listens."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()

from lianzao.access.queries import SESSION_COOKIE, STATION_COOKIE, actor_by  # noqa: E402
from lianzao.foundation import live  # noqa: E402
from lianzao.foundation.actor import Actor  # noqa: E402
from project import handed, handing, lifeline, memory, monitoring  # noqa: E402

lifeline.hold(hard=True)


def identify(keys: live.Keys) -> Actor | None:
    """Who holds these keys. Listening alone does not keep a session from ending when nobody works any more."""
    return actor_by(authorization=keys.authorization, session_key=keys.session, station_key=keys.station, touch=False)


def beside(hub: live.Hub) -> AbstractAsyncContextManager[None]:
    """Besides by HTTP, listeners come by the hand of the front, where it was told how."""
    path = os.environ.get(handing.HAND)
    return handed.Door(hub, Path(path), SESSION_COOKIE, STATION_COOKIE).opened() if path else nullcontext()


monitoring.begin("live")
application = live.app(
    identify,
    session_cookie=SESSION_COOKIE,
    station_cookie=STATION_COOKIE,
    recheck_on={"access.AccessChanged": "person_id", "access.DisplayChanged": "display_id"},
    beside=beside,
)
memory.settle()
