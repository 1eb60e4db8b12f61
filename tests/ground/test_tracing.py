"""Traces of the real processes: a request at a web process, what workers and the planner make of it, one tree."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from lianzao.values.time import uuid7
from tests.collector import collecting
from tests.served import furnished, served


def some_id() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid7())}


@pytest.mark.slow
def test_every_process_tells_and_what_belongs_together_is_one_trace(tmp_path: Path) -> None:
    shop = furnished(tmp_path)
    with collecting() as collector, (tmp_path / "log").open("w+") as log:
        asked = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
            "LIANZAO_SLOW_MS": "1",
        }
        with served(tmp_path, asked, log) as product:
            headers = {
                "Authorization": f"Bearer {shop['token']}",
                **some_id(),
                "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
            }
            with httpx.Client(base_url=f"http://127.0.0.1:{product.port}", trust_env=False, timeout=60) as client:
                told = {"code": "BURR", "name": "毛刺"}
                reason = client.post("/api/production/create_scrap_reason", json=told, headers=headers | some_id())
                body = {"operation": shop["operations"][0], "scrap": "1", "scrap_reason": reason.json()["id"]}
                done = client.post("/api/production/report_operation", json=body, headers=headers)
            assert done.status_code == 200, done.text
            trace = done.headers["X-Trace-Id"]
            assert trace != "a" * 32, "no proxy we believe said so"
            collector.await_(lambda: collector.named("plan", trace))
        spans = {each.id: each for each in collector.spans if each.trace == trace}
        request = collector.one("POST /api/production/report_operation", trace)
        order = collector.one("production.report_operation", trace)
        assert request.parent == "" and order.parent == request.id
        assert order.said["lianzao.order_id"] == headers["Idempotency-Key"]
        # From the plan upwards to the request: a delivery, the order that told its news, and so on.
        at, way = collector.named("plan", trace)[0], []
        while at.id != request.id:
            way.append(at)
            at = spans[at.parent]
        assert way[-1] is order and [each.kind for each in way[1:-1]] == ["CONSUMER"] * (len(way) - 2)
        assert {each.resource["lianzao.process"] for each in spans.values()} == {"web", "work", "plan"}
        assert {each.resource["deployment.environment.name"] for each in spans.values()} == {"test"}
        log.seek(0)
        slow = [line for line in log if "slow: production.report_operation" in line]
        assert len(slow) == 1 and f"trace={trace}" in slow[0], "log and trace go by one id"
