"""Routes: the API and the pages. What is behind them follows from the registries."""

from __future__ import annotations

from lianzao.foundation.http import routes

urlpatterns = routes()
