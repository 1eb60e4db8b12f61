"""The written house is true: links lead somewhere, maps name every room, tables and reference are those of the code."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lianzao.access.models import Site
from lianzao.engine.solver import warm
from lianzao.engineering.models import Bom, Routing
from lianzao.foundation import clock, registry
from lianzao.foundation.actor import system_actor
from lianzao.foundation.command import run
from lianzao.foundation.entity import Entity
from lianzao.foundation.transfer import import_file
from lianzao.planning.models import Outlook, Proposal
from lianzao.sales.models import SalesOrder
from project import docs
from project.config import ROOT, TABLE

BY_HAND = ("README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = [
    *(ROOT / name for name in BY_HAND),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "demo").glob("*.md")),
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LOCAL = re.compile(r"/(?:home|root|Users|tmp|work)/[\w.]|[A-Z]:\\\\")


def said(page: Path) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of a page's tables, without heads' rules."""
    for line in text.splitlines():
        if line.startswith("|") and not set(line) <= set("|-: "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", said(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for target in LINK.findall(said(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_folder_of_somebodys_machine(page: Path) -> None:
    assert LOCAL.findall(page.read_text(encoding="utf-8")) == []


def test_the_map_names_every_room_once() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    part = text.split("## Rooms")[1].split("\n## ")[0]
    named = [re.sub(r"\[([a-z]+)\]\(.*\)", r"\1", row[0]) for row in table_rows(part)][1:]
    standing = {path.parent.name for path in (ROOT / "lianzao").glob("*/__init__.py")}
    assert len(named) == len(set(named))
    assert standing - set(named) == set()


def test_the_floors_are_those_that_are_kept() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(each["layers"] for each in contracts if each["containers"] == ["lianzao"])
    kept = [set(re.findall(r"\w+", layer)) for layer in layers]
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    part = text.split("## Floors")[1].split("\n## ")[0]
    told = [set(re.findall(r"`(\w+)`", row[1])) for row in table_rows(part)][1:]
    assert told == kept


def test_pages_in_two_languages_have_the_same_parts() -> None:
    chinese, english = (said(ROOT / name) for name in ("README.zh-CN.md", "README.md"))
    for pattern in (r"^#+ ", r"^\d+\. ", r"^\|"):
        assert len(re.findall(pattern, chinese, re.MULTILINE)) == len(re.findall(pattern, english, re.MULTILINE)), (
            pattern
        )
    links = [
        {target for target in LINK.findall(text) if not target.startswith("README")} for text in (chinese, english)
    ]
    assert links[0] == links[1]


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "use").glob("*.md")), ids=lambda page: page.stem)
def test_daily_work_names_commands_there_are(page: Path) -> None:
    registry.load()
    named = re.findall(r"`([a-z]+\.[a-z_]+)`", said(page))
    assert page.stem == "README" or len(named) > 1
    assert sorted(set(named) - set(registry.COMMANDS)) == []


def test_decisions_are_all_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert LINK.findall(said(folder / "README.md")) == pages
    for number, name in enumerate(pages, 1):
        assert name.startswith(f"{number:04}-")
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {number:04} ")
        for part in ("Context", "Decision", "Consequence", "Alternative"):
            assert f"**{part}.**" in text, (name, part)


# -- the reference ----------------------------------------------------------------------------------------------------


def test_the_reference_is_the_same_each_time_and_says_everything() -> None:
    made = docs.pages()
    assert made == docs.pages()
    for held in (registry.RESOURCES, registry.COMMANDS, registry.EVENTS):
        for key in held:
            room = key.partition(".")[0]
            if room in registry.rooms():
                assert re.search(rf"^### {re.escape(key)}( |$)", made[f"{room}.md"], re.MULTILINE), key


def test_the_configuration_page_is_the_table() -> None:
    rows = list(table_rows(docs.pages()["configuration.md"]))[1:]
    assert [(name.strip("`"), default.strip("`")) for name, default, _ in rows] == [
        (each.name, each.default) for each in TABLE
    ]


def test_settings_explained_by_hand_are_those_of_the_table() -> None:
    names = {each.name for each in TABLE}
    for page in PAGES:
        if "reference" in page.parts:
            continue
        used = set(re.findall(r"\bLIANZAO_(?!TEST_)[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
        assert used - names == set(), page
        if page.name == "configure.md":
            assert "../reference/configuration.md" in page.read_text(encoding="utf-8")


def test_the_written_files_in_the_repository_are_those_of_the_code() -> None:
    """Reference and API schema are written by the code; after a change of what is declared, `make docs` writes them."""
    assert docs.stale() == [], "not what the code says: run make docs, and commit it"


def test_a_schema_of_yesterday_and_a_page_of_nobody_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    monkeypatch.setattr(docs, "FOLDER", tmp_path / "reference")
    monkeypatch.setattr(docs, "SCHEMA", tmp_path / "schema.json")
    docs.write(tmp_path / "reference")
    assert docs.stale() == ["schema.json"]
    docs.SCHEMA.write_text(docs.schema(), encoding="utf-8")
    assert docs.stale() == []
    document = json.loads(docs.SCHEMA.read_text(encoding="utf-8"))
    del document["paths"]["/api/overviews/buy"]
    docs.SCHEMA.write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "reference" / "attic.md").write_text("# Attic\n", encoding="utf-8")
    assert docs.stale() == ["reference/attic.md", "schema.json"]


def test_pages_of_what_is_gone_are_removed(tmp_path: Path) -> None:
    (tmp_path / "attic.md").write_text("# Attic\n", encoding="utf-8")
    made = docs.write(tmp_path)
    assert sorted(tmp_path.glob("*.md")) == sorted(made)
    assert sum(path.stat().st_size for path in made) < 400_000


# -- the first plan ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def planner() -> None:
    """The planner's kernels, compiled before a transaction stands open: that may take minutes after a change."""
    warm()


@pytest.mark.django_db
def test_the_files_of_the_first_plan_make_one(planner: None) -> None:
    """The page docs/start/your-own-plant.md as it stands: its files come in, and there is a plan."""
    registry.load()
    text = (ROOT / "docs" / "start" / "your-own-plant.md").read_text(encoding="utf-8")
    files = re.findall(r"^```csv (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (mapping,) = re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    by = system_actor("the first plan")
    with clock.frozen(datetime(2026, 11, 23, 2, 0, tzinfo=UTC)):
        for kind, rows in files:
            if kind == "sales.enter_order":
                site = Site.objects.get(code="SH")
                by = system_actor("the first plan", site=site.id)
                run(by, "plant.set_up_site", {"site_id": str(site.id)})
                run(by, "engineering.approve_boms", {"boms": ids(Bom)})
                run(by, "engineering.approve_routings", {"routings": ids(Routing)})
            done = import_file(
                by,
                kind=kind,
                data=rows.encode(),
                filename="rows.csv",
                mapping=json.loads(mapping) if kind == "sales.enter_order" else None,
                dry_run=False,
            )
            assert (done.error_count, done.ignored) == (0, []), kind
        for order in ids(SalesOrder):
            run(by, "sales.confirm_order", {"order": order})
        run(by, "planning.plan_site", {"site": str(Site.objects.get().id)})
    planned = Counter(Proposal.objects.values_list("item__code", flat=True))
    assert set(planned) == {"PUMP", "BODY", "STEEL", "BOLT"}
    outlooks = list(Outlook.objects.values_list("late_minutes", flat=True))
    assert outlooks == [0, 0, 0]


def ids(model: type[Entity]) -> list[str]:
    """The ids of all rows of a model."""
    return [str(id) for id in model._default_manager.values_list("id", flat=True)]
