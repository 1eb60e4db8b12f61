"""Traces: when they are asked for, what hinders them, whose word about a trace is taken, and that off is off."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from lianzao.foundation import tracing
from project import doctor
from project.config import ROOT
from tests.collector import collecting

HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "mes"}, False),
        (HERE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", **HERE}, False),
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, True),
        ({"OTEL_SDK_DISABLED": "true", **HERE}, False),
    ],
)
def test_traces_are_asked_for_by_the_standard_variables(environ: dict[str, str], expected: bool) -> None:
    assert tracing.asked(environ) is expected


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "otlp only"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", **HERE}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "address"),
    ],
)
def test_what_hinders_is_said_with_what_to_do(
    environ: dict[str, str], word: str, caplog: pytest.LogCaptureFixture
) -> None:
    hindered = tracing.trouble(environ)
    assert hindered is not None and word in hindered[0] + hindered[1]
    with caplog.at_level(logging.WARNING):
        tracing.begin("test", environ)
    assert tracing.on is None and f"no traces: {hindered[0]}" in caplog.text
    (finding,) = doctor.traces(environ)
    assert finding.state == doctor.WARNING and hindered[0] in finding.said and finding.todo == hindered[1]


def test_doctor_says_whether_a_collector_answers() -> None:
    assert list(doctor.traces({})) == []
    with collecting() as collector:
        address = collector.address.replace("http://", "http://me:s3cret@")
        (well,) = doctor.traces({"OTEL_EXPORTER_OTLP_ENDPOINT": address})
        assert well.state == doctor.OK and "s3cret" not in well.said and collector.address in well.said
    (away,) = doctor.traces({"OTEL_EXPORTER_OTLP_ENDPOINT": address})
    assert away.state == doctor.WARNING and "nobody answers" in away.said


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", ("a" * 32, "b" * 16, 1)),
        (f"00-{'a' * 32}-{'b' * 16}-00", ("a" * 32, "b" * 16, 0)),
        (f"01-{'a' * 32}-{'b' * 16}-01-more", ("a" * 32, "b" * 16, 1)),
        (f"00-{'a' * 32}-{'b' * 16}-01-more", None),
        (f"ff-{'a' * 32}-{'b' * 16}-01", None),
        (f"00-{'0' * 32}-{'b' * 16}-01", None),
        (f"00-{'a' * 32}-{'0' * 16}-01", None),
        (f"00-{'A' * 32}-{'b' * 16}-01", None),
        ("", None),
        ("x" * 300, None),
    ],
)
def test_a_callers_trace_is_read_as_w3c_says(said: str, taken: tuple[str, str, int] | None) -> None:
    assert tracing.caller_of(said) == taken


PROGRAM = """
import sys
hide = %r
if hide:
    class Hidden:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "opentelemetry":
                raise ModuleNotFoundError(name)
    sys.meta_path.insert(0, Hidden())
import logging
logging.basicConfig()
from lianzao.foundation import tracing
tracing.begin("test")
with tracing.planning(None):
    print(tracing.on, any(name.startswith(("opentelemetry", "google")) for name in sys.modules))
"""


def run(environ: dict[str, str], hide: bool) -> subprocess.CompletedProcess[str]:
    given = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **environ}
    return subprocess.run([sys.executable, "-c", PROGRAM % hide], env=given, capture_output=True, text=True, timeout=60)


def test_off_nothing_is_loaded() -> None:
    done = run({}, hide=False)
    assert done.stdout.strip() == "None False" and not done.stderr


def test_asked_for_but_not_installed_is_said_and_hinders_nothing() -> None:
    done = run(HERE, hide=True)
    assert done.stdout.strip() == "None False" and done.returncode == 0, done.stderr
    assert "no traces: OpenTelemetry is not installed (python3 scripts/bootstrap.py traces" in done.stderr


def test_a_process_that_ends_waits_for_no_collector() -> None:
    code = PROGRAM % False + "import time; print(time.monotonic())"
    with collecting() as collector:
        collector.hang.set()
        given = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address}
        order = [sys.executable, "-c", f"{code}\nwith tracing.on.planning(None): pass\nprint(time.monotonic())"]
        done = subprocess.run(
            [*order[:2], order[2] + "\nimport atexit; atexit._run_exitfuncs(); print(time.monotonic())"],
            env=given, capture_output=True, text=True, timeout=20,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = [float(line) for line in done.stdout.splitlines()[-2:]]
    assert 1.0 < after - before < tracing.LAST_WORDS_S + 1.0
