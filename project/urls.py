"""Routes: the API and the pages. What is behind them follows from the registries."""

from __future__ import annotations

from lianzao.access.queries import actor_of
from lianzao.foundation import http
from project import monitoring, pages

http.identify_by(actor_of)

handler500 = http.broken
urlpatterns = [*http.routes(), *monitoring.routes(), *pages.routes()]
