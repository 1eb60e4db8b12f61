"""The live process's application: the foundation's live line, which learns from the access room who listens."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()

from lianzao.access.queries import SESSION_COOKIE, STATION_COOKIE, actor_by  # noqa: E402
from lianzao.foundation import live  # noqa: E402
from lianzao.foundation.actor import Actor  # noqa: E402
from project import lifeline, monitoring  # noqa: E402

lifeline.hold()


def identify(keys: live.Keys) -> Actor | None:
    """Who holds these keys. Listening alone does not keep a session from ending when nobody works any more."""
    return actor_by(authorization=keys.authorization, session_key=keys.session, station_key=keys.station, touch=False)


monitoring.begin("live")
application = live.app(
    identify, session_cookie=SESSION_COOKIE, station_cookie=STATION_COOKIE, recheck_on="access.AccessChanged"
)
