"""schemathesis over the whole OpenAPI document, in this process: requests that fit the schema, and many that do not.

What is looked for is an answer of 500 and above; what an answer says is looked at by the contract tests.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections import Counter
from typing import Any, cast
from urllib.parse import urlencode

import schemathesis
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core import NotSet

from lianzao.foundation import http


class _TakenBack(Exception):
    """Ends a case: whatever it wrote is taken back."""


def document() -> dict[str, Any]:
    """The OpenAPI document of the house, as everybody gets it."""
    http.Rooms.build()
    return json.loads(json.dumps(http.api.get_openapi_schema()))


def sent(client: Client, case: Any) -> tuple[int, str]:
    """The answer to a case: status and text."""
    query = {} if isinstance(case.query, NotSet) else dict(case.query or {})
    path = case.formatted_path
    if query:
        path += "?" + urlencode(query, doseq=True, errors="replace")
    body = b"" if isinstance(case.body, NotSet) else case.body
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {name: str(value) for name, value in dict(case.headers or {}).items()}
    try:
        with transaction.atomic():
            answer: Any = client.generic(
                case.method, path, data, case.media_type or "application/json", headers=headers
            )
            raise _TakenBack
    except _TakenBack:
        return answer.status_code, answer.content[:300].decode("utf-8", "replace")


def fuzz(client: Client, *, per_operation: int, fixed: bool) -> tuple[Counter[int], list[str]]:
    """Send so many cases to every operation; gives how often each status came, and every unexpected failure."""
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    seen: Counter[int] = Counter()
    faults: dict[str, str] = {}
    for found in schemathesis.openapi.from_dict(document()).get_all_operations():
        operation = cast(Any, found).ok()
        for status, fault in _one(client, operation, per_operation, fixed):
            seen[status] += 1
            if fault:
                faults.setdefault(operation.label, fault)
    return seen, sorted(faults.values())


def _one(client: Client, operation: Any, most: int, fixed: bool) -> list[tuple[int, str]]:
    """The cases of one operation: status of each, and what is wrong with it."""
    fitting = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    unfitting = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    found: list[tuple[int, str]] = []

    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        derandomize=fixed,
        phases=(Phase.generate,),
        suppress_health_check=tuple(HealthCheck),  # type: ignore[arg-type]
    )
    @given(case=st.one_of(fitting, unfitting))
    def send(case: Any) -> None:
        status, text = sent(client, case)
        told = f"{operation.label}: {status} {case.body!r:.200} {case.query!r:.200} {text[:160]}"
        found.append((status, told if status >= 500 else ""))

    try:
        send()
    except Unsatisfiable:
        pass  # nothing can be wrong about it: it takes neither parameters nor a body
    return found
