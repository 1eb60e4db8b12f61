"""Finding a route by its beginning. Django tries hundreds of patterns one by one, which costs more than a read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import ResolverMatch, URLPattern, URLResolver
from django.urls.resolvers import RoutePattern


class Switchboard(URLResolver):
    """Routes below a fixed beginning, grouped by their first two parts (`room/name`); the order within stays.

    What fits no group is left to all the patterns, as Django does it; so are names and reversing.
    """

    def __init__(self, route: str, patterns: Sequence[URLPattern | URLResolver], app_name: str, namespace: str) -> None:
        super().__init__(RoutePattern(route), _module(patterns), app_name=app_name, namespace=namespace)
        self._beginning = route
        heads = [_head(str(each.pattern)) for each in patterns]
        self._groups: dict[str, URLResolver] = {}
        for wanted in dict.fromkeys(head for head in heads if "<" not in head):
            # A pattern whose beginning is open may fit here too.
            fitting = [each for each, head in zip(patterns, heads, strict=True) if head == wanted or "<" in head]
            self._groups[wanted] = URLResolver(
                RoutePattern(route), _module(fitting), app_name=app_name, namespace=namespace
            )

    def resolve(self, path: Any) -> ResolverMatch:
        """The route of a path. Raises Resolver404."""
        path = str(path)
        if path.startswith(self._beginning):
            group = self._groups.get(_head(path[len(self._beginning) :]))
            if group is not None:
                return group.resolve(path)
        return super().resolve(path)


def _module(patterns: Sequence[URLPattern | URLResolver]) -> Any:
    """Patterns where a module's name may stand too; the stubs know only the name."""
    return list(patterns)


def _head(route: str) -> str:
    return "/".join(route.split("/", 2)[:2])
