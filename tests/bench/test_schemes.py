"""Ten thousand requests made by schemathesis (SOAK_CASES): no failure, whether they fit the schema or do not."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import pytest
from django.test import Client

from lianzao.foundation import http
from lianzao.foundation.actor import ALL, Actor
from lianzao.values.time import uuid7
from tests.recorder import Recorder
from tests.scenario.test_demo import built, works
from tests.schemes import document, fuzz

__all__ = ["built", "works"]
import_module("project.urls")
CASES = int(os.environ.get("SOAK_CASES", "10000"))


@pytest.mark.soak
def test_no_request_is_a_bug(works: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    by = Actor(id=uuid7(), name="anybody", sites=ALL, site=works.site_id, rights=frozenset({"*"}), language="en")
    monkeypatch.setattr(http, "_identify", lambda request: by)
    operations = sum(len(each) for each in document()["paths"].values())
    client = Client(headers={"Authorization": "Bearer test"})
    seen, faults = fuzz(client, per_operation=-(-CASES // operations), fixed=False)
    print(f"{seen.total()} cases to {operations} operations: {dict(sorted(seen.items()))}")
    assert [each for each in recorder.taken_faults() if "statements" not in each] == []
    assert not faults, "\n".join(faults)
