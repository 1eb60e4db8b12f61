"""What an import made of each file, and every row it left out or took with a remark, in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lianzao.foundation import words

HERE = Path(__file__).parent


@cache
def reasons() -> dict[str, tuple[str, str]]:
    """Why rows are left out: code → (中文, English), with {facts}."""
    return {code: (zh, en) for code, (zh, en) in json.loads((HERE / "reasons.json").read_text("utf-8")).items()}


@dataclass(frozen=True)
class Finding:
    """Something about one row of a file: why it is left out, or what is odd about it though it is taken."""

    file: str
    row: int | None
    code: str
    facts: dict[str, str] = field(default_factory=dict)
    detail: str = ""

    def said(self, language: str) -> str:
        """The reason in a sentence."""
        pair = reasons().get(self.code)
        if pair is None:
            return self.detail or words.say(f"error.{self.code}", language, **self.facts)
        return pair[0 if language.startswith("zh") else 1].format_map(_Facts(self.facts))


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


@dataclass
class FileResult:
    """What became of one file. `stopped`: nothing of it was taken."""

    file: str
    kind: str
    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    stopped: bool = False


@dataclass
class Report:
    """The whole import."""

    as_of: str
    dry_run: bool
    files: list[FileResult] = field(default_factory=list)
    rejected: list[Finding] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a file could not be taken at all."""
        return any(each.stopped for each in self.files)

    @property
    def created(self) -> int:
        """Records made."""
        return sum(each.created for each in self.files)

    @property
    def changed(self) -> int:
        """Records changed."""
        return sum(each.changed for each in self.files)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return sum(each.seconds for each in self.files)

    @property
    def cpu_seconds(self) -> float:
        """What it cost this process; the database's share is not in it."""
        return sum(each.cpu_seconds for each in self.files)

    def by_reason(self) -> dict[tuple[str, str], int]:
        """How many rows were left out, by file and reason."""
        return dict(Counter((each.file, each.code) for each in self.rejected))

    def told(self, language: str, *, rows: bool) -> Iterator[str]:
        """The report in lines; with `rows`, every row that was left out."""
        zh = language.startswith("zh")
        yield "文件 | 记录 | 行 新增 更改 不变 | 秒" if zh else "file | kind | rows made changed unchanged | seconds"
        for each in self.files:
            stopped = (" 整个文件未导入" if zh else " NOT TAKEN") if each.stopped else ""
            yield (
                f"{each.file} | {each.kind} | {each.rows} {each.created} {each.changed} {each.unchanged}"
                f" | {each.seconds:.1f}{stopped}"
            )
        for title, found in (
            ("不导入" if zh else "left out", self.rejected),
            ("备注" if zh else "remarks", self.remarks),
        ):
            yield f"{title}: {len(found)}"
            first: dict[tuple[str, str], Finding] = {}
            for finding in found:
                first.setdefault((finding.file, finding.code), finding)
            for (file, code), count in Counter((one.file, one.code) for one in found).items():
                yield f"  {file}: {count} × {code} ({first[file, code].said(language)})"
        if rows:
            for finding in self.rejected:
                yield f"{finding.file}:{finding.row or '-'}: {finding.said(language)}"
        if self.dry_run:
            yield "试运行：没有更改任何数据" if zh else "dry run: nothing was changed"
