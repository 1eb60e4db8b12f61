"""The log: one line for what happened, on standard error, as text or as JSON (`LIANZAO_LOG`), with what it is about.

A JSON line holds `at`, `level`, `process`, `pid`, `logger`, `message`, and what is known of the work in hand: `trace`
(the trace_id a caller was told), `order` and `command`, `delivery` and `event`, `job`; `error` is the traceback.
"""

from __future__ import annotations

import json
import logging
import logging.config
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lianzao.foundation.trail import facts

PROCESS = "LIANZAO_PROCESS"
SHORT = {"trace": "trace", "order": "order", "delivery": "delivery", "event": "event"}
EXTRAS = ("seconds", "status")


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said: dict[str, Any] = {
            "at": _instant(record.created),
            "level": record.levelname.lower(),
            "process": os.environ.get(PROCESS, "command"),
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
            **facts(),
        }
        said |= {name: getattr(record, name) for name in EXTRAS if isinstance(getattr(record, name, None), int | float)}
        if error := _error(self, record):
            said["error"] = error
        return json.dumps(said, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """A record as a line to read, with its ids behind it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback follows on lines of its own."""
        ids = " ".join(f"{SHORT[name]}={value}" for name, value in facts().items() if name in SHORT)
        process = os.environ.get(PROCESS, "command")
        line = f"{_instant(record.created)} {record.levelname} {process} {record.name} {record.getMessage()}"
        if ids:
            line += f" [{ids}]"
        error = _error(self, record)
        return f"{line}\n{error}" if error else line


def _error(by: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback of a record; `extra={"error": …}` where somebody has written it out already."""
    return by.formatException(record.exc_info) if record.exc_info else getattr(record, "error", "")


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def settings(form: str) -> dict[str, Any]:
    """For `logging.config.dictConfig`: what Django, granian and our own processes are given alike."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"project.logs.{'JsonLines' if form == 'json' else 'TextLines'}"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            "lianzao": {"level": "INFO"},
            "django.request": {"level": "ERROR"},  # who asks for what he may not see is no news of ours
            "django.server": {"handlers": [], "propagate": True},
            "_granian": {"handlers": [], "level": "ERROR", "propagate": True},
            "granian.access": {"handlers": [], "propagate": True},
        },
    }


def begin(form: str, process: str) -> None:
    """Log in this form from now on, as this kind of process; children that are no kind of their own inherit it."""
    os.environ[PROCESS] = process
    logging.config.dictConfig(settings(form))


def sayer(form: str, say: Callable[[str], None]) -> Callable[[str], None]:
    """How the supervisor speaks: as it is given, or, where the log is JSON, in lines of it."""
    if form != "json":
        return say

    def told(text: str) -> None:
        for line in text.splitlines():
            if line.strip():
                said = {"at": _instant(datetime.now(UTC).timestamp()), "level": "info", "process": "serve"}
                print(json.dumps(said | {"pid": os.getpid(), "message": line}, ensure_ascii=False), flush=True)

    return told


def complain(form: str, text: str) -> None:
    """Why a command does not go on, on standard error, in the form of the log."""
    if form != "json":
        print(f"lianzao: {text}", file=sys.stderr)
        return
    said = {"at": _instant(datetime.now(UTC).timestamp()), "level": "error", "process": "serve", "message": text}
    print(json.dumps(said, ensure_ascii=False), file=sys.stderr)
