"""docs/reference, from what the house declares: entities, commands, events, rights, configuration, command line.

`python -m project.cli docs` (or `python -m project.docs`) writes it anew, and with it the API's description for the
screens (web/openapi/schema.json); the same code gives the same bytes. `python -m project.docs --check` and
tests/ground/test_docs.py fail when what is in the repository is not that of the code.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import importlib.util
import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from project.config import ROOT, TABLE
from project.processes import django_is_set_up

FOLDER = ROOT / "docs" / "reference"
#: The API as the screens' client types are made from it (`npm run api` in web/).
SCHEMA = ROOT / "web" / "openapi" / "schema.json"
NOTE = "<!-- Written by `make docs` from the code: change the code, not this page. -->\n"
LANGUAGES = ("zh-CN", "en")


def pages() -> dict[str, str]:
    """Every page of the reference by its file name. Django must be set up."""
    from lianzao.foundation import registry

    registry.load()
    rooms = [room for room in registry.rooms() if _has_something(room)]
    made = {f"{room}.md": _room_page(room) for room in rooms}
    made["rights.md"] = _rights_page()
    made["configuration.md"] = _configuration_page()
    command_line = _command_line_page()
    if command_line:
        made["command-line.md"] = command_line
    made["README.md"] = _index_page(rooms, sorted(set(made) - {f"{room}.md" for room in rooms}))
    return {name: made[name].rstrip() + "\n" for name in sorted(made)}


def write(folder: Path = FOLDER) -> list[Path]:
    """Write the reference into a folder, and remove pages of rooms that are gone. Gives the pages written."""
    made = pages()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in made]


def schema() -> str:
    """The OpenAPI description of every route, in an order of its own so that a change shows as a small one."""
    from lianzao.foundation import http

    http.routes()
    return json.dumps(http.api.get_openapi_schema(), ensure_ascii=False, indent=1, sort_keys=True, default=str) + "\n"


def stale() -> list[str]:
    """The files in the repository that are not what the code says, by their place in it."""
    made = {FOLDER / name: text for name, text in pages().items()} | {SCHEMA: schema()}
    there = {*FOLDER.glob("*.md"), SCHEMA}
    return sorted(
        str(path.relative_to(ROOT))
        for path in made.keys() | there
        if not path.is_file() or made.get(path) != path.read_text(encoding="utf-8")
    )


# -- rooms ------------------------------------------------------------------------------------------------------------


def _has_something(room: str) -> bool:
    from lianzao.foundation import registry

    held = (registry.RESOURCES, registry.COMMANDS, registry.EVENTS)
    return any(key.startswith(f"{room}.") for each in held for key in each)


def _room_page(room: str) -> str:
    from lianzao.foundation import registry

    title = " · ".join(_said(f"room.{room}"))
    purpose = inspect.getdoc(importlib.import_module(f"lianzao.{room}")) or ""
    parts = [f"# {title}\n", NOTE, f"`lianzao.{room}`: {purpose}\n"]
    for heading, made in (
        ("Entities", [_entity(each) for key, each in _of(registry.RESOURCES, room)]),
        ("Commands", [_command(each) for key, each in _of(registry.COMMANDS, room)]),
        ("Events", [_event(each) for key, each in _of(registry.EVENTS, room)]),
    ):
        if made:
            parts += [f"## {heading}\n", *made]
    return "\n".join(parts)


def _of(held: dict[str, Any], room: str) -> list[tuple[str, Any]]:
    return sorted((key, each) for key, each in held.items() if key.startswith(f"{room}."))


def _entity(resource: Any) -> str:
    from lianzao.foundation import meta

    doc = _first(resource.model.__doc__)
    names = list(dict.fromkeys([*resource.column_names, *resource.writable_names]))
    rows = []
    for name in names:
        field = resource.field(name)
        zh, en = (meta.told_field(field, resource.room, resource.entity, language) for language in LANGUAGES)
        marks = [
            word
            for word, holds in (
                ("write", name in resource.writable_names),
                ("filter", name in resource.filter_names),
                ("masked", name in resource.mask_names),
            )
            if holds
        ]
        rows.append((f"`{en['name']}`", f"{zh['title']} · {en['title']}", _column_type(en), " ".join(marks)))
    facts = [f"key: `{resource.key}`", f"right: `{resource.view_right}`"]
    if resource.site:
        facts.append(f"site: `{resource.site}`")
    if resource.partner:
        facts.append(f"partner: `{resource.partner}`")
    if resource.part_models:
        facts.append("parts: " + ", ".join(f"`{name}`" for name in resource.part_models))
    heading = _heading(resource.kind, resource.kind)
    table = _table(("column", "words", "type", ""), rows)
    return f"{heading}\n{doc}\n\n{'; '.join(facts)}\n\n{table}"


def _column_type(told: dict[str, Any]) -> str:
    if told.get("choices"):
        return ", ".join(f"`{each['value']}`" for each in told["choices"])
    if told.get("kind"):
        return f"→ {told['kind']}"
    return str(told["type"])


def _command(command: Any) -> str:
    from lianzao.foundation import meta

    words = " · ".join(meta.command_title(command, language) for language in LANGUAGES)
    offered = [f"`{name}` is {', '.join(states)}" for name, states in sorted(command.when.items())]
    facts = [f"`POST /api/{command.room}/{command.name}`", f"right: `{command.right}`"]
    if offered:
        facts.append("offered when " + " and ".join(offered))
    if command.hidden:
        facts.append("no button: called by stories and connectors")
    made = f"{_heading(command.key, words)}\n{'; '.join(facts)}\n\n{_plain(command.manual)}\n"
    if _is_generic(command):
        return f"{made}\nParameters: the columns of the entity marked *write*.\n"
    rows = [_parameter(command, each) for each in command.parameters]
    return made + ("\n" + _table(("parameter", "words", "type", ""), rows) if rows else "")


def _is_generic(command: Any) -> bool:
    """Whether it makes or changes an entity by its columns, as declared by the resource alone."""
    from lianzao.foundation.registry import RESOURCES

    verb, _, entity = command.name.partition("_")
    resource = RESOURCES.get(f"{command.room}.{entity}")
    return verb in ("create", "change") and resource is not None and bool(command.function.__closure__)


def _parameter(command: Any, each: Any) -> tuple[str, str, str, str]:
    from lianzao.foundation import meta

    entity = command.subject.partition(".")[2] if command.subject else ""
    zh, en = (meta.told_parameter(command, each, entity, language) for language in LANGUAGES)
    kind = _parameter_type(en)
    return f"`{each.name}`", f"{zh['title']} · {en['title']}", kind, "required" if each.required else ""


def _parameter_type(told: dict[str, Any]) -> str:
    if told.get("fields"):
        inner = ", ".join(f"`{each['name']}`{'' if each['required'] else '?'}" for each in told["fields"])
        return f"{'list of ' if told['type'] == 'list' else ''}({inner})"
    kind = _column_type(told)
    return f"list of {kind if told.get('kind') else told['of']}" if told["type"] == "list" and "of" in told else kind


def _event(event: type[Any]) -> str:
    name = event.wire_name
    hints = typing.get_type_hints(event)
    fields = [f"`{each.name}`: {_type_name(hints[each.name])}" for each in dataclasses.fields(event)]
    words = " · ".join(_said(f"event.{name.partition('.')[2]}"))
    return f"{_heading(name, words)}\n{_first(event.__doc__)}\n\n{'; '.join(fields)}\n"


def _type_name(hint: Any) -> str:
    """UUID, `date | None`, `list of UUID`, in the words of the reference."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join("none" if arg is type(None) else _type_name(arg) for arg in typing.get_args(hint))
    if origin in (tuple, list):
        return f"list of {_type_name(typing.get_args(hint)[0])}"
    return {"str": "text", "int": "whole", "bool": "yes/no", "datetime": "instant", "UUID": "id"}.get(
        getattr(hint, "__name__", str(hint)), getattr(hint, "__name__", str(hint))
    )


# -- the other pages --------------------------------------------------------------------------------------------------


def _rights_page() -> str:
    from lianzao.access import roles

    rows = [
        (f"`{each.code}`", f"{each.name} · {each.name_en}", each.audience, ", ".join(f"`{r}`" for r in each.rights))
        for each in roles.SHIPPED
    ]
    return "\n".join(
        [
            "# Rights · 权限\n",
            NOTE,
            "A right is a string: `<room>.view_<entity>` to see, `<room>.<command>` to order. `*` stands for anything:",
            "`sales.*`, `*.view_*`. A role is a list of rights (data, to be changed by an administrator); a person has",
            "roles at sites. Every entity's and command's own right stands on its room's page.\n",
            "## Roles as shipped\n",
            _table(("role", "words", "for", "rights"), rows),
            "## Rights beside commands and lists\n",
            "They widen what a command does for whoever holds them; the command itself needs its own right.\n",
            _table(("right", "words"), [(f"`{right}`", said) for right, said in _wider_rights()]),
        ]
    )


def _wider_rights() -> list[tuple[str, str]]:
    """The rights that are neither a command's nor a list's, from the words."""
    from lianzao.foundation import words

    found = {key.removeprefix("right."): pair for key, pair in words.catalogue().items() if key.startswith("right.")}
    return [(right, f"{zh} · {en}") for right, (zh, en) in sorted(found.items())]


def _configuration_page() -> str:
    rows = [
        (f"`{each.name}`", f"`{each.default}`" if each.default else "", each.meaning + (" (secret)" * each.secret))
        for each in TABLE
    ]
    return "\n".join(
        [
            "# Configuration · 配置\n",
            NOTE,
            "Environment variables, read at the start (`project/config.py`). All have a default that works.\n",
            _table(("variable", "default", "meaning"), rows),
        ]
    )


def _command_line_page() -> str:
    """The command line, from its parser; empty as long as there is none."""
    if importlib.util.find_spec("project.cli") is None:
        return ""
    cli = importlib.import_module("project.cli")
    parser: argparse.ArgumentParser = cli.parser()
    parts = ["# Command line · 命令行\n", NOTE, "`.venv/bin/python -m project.cli …`, installed: `lianzao …`\n"]
    if parser.description:
        parts.append(parser.description.strip() + "\n")
    if parser.epilog:
        parts.append(f"```\n{inspect.cleandoc(parser.epilog)}\n```\n")
    for name, about, sub in _subcommands(parser):
        parts.append(f"## {name}\n\n{about or sub.description or ''}\n")
        rows = [row for action in sub._actions if (row := _argument(action)) is not None]
        if rows:
            parts.append(_table(("argument", "default", "meaning"), rows))
        if sub.epilog:
            parts.append(f"```\n{inspect.cleandoc(sub.epilog)}\n```\n")
    return "\n".join(parts)


def _subcommands(
    parser: argparse.ArgumentParser, before: str = ""
) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {each.dest: each.help or "" for each in action._choices_actions}
        for name, sub in action.choices.items():
            yield f"{before}{name}", helps.get(name, ""), sub
            yield from _subcommands(sub, f"{before}{name} ")


def _argument(action: argparse.Action) -> tuple[str, str, str] | None:
    if isinstance(action, (argparse._SubParsersAction, argparse._HelpAction)) or action.help == argparse.SUPPRESS:
        return None
    name = " ".join(f"`{each}`" for each in action.option_strings) or f"`{action.metavar or action.dest}`"
    default = "" if action.default in (None, False, argparse.SUPPRESS, []) else f"`{action.default}`"
    return name, default, (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")


def _index_page(rooms: Sequence[str], others: Sequence[str]) -> str:
    from lianzao.foundation import registry

    rows = []
    for room in rooms:
        counts = [
            sum(1 for key in held if key.startswith(f"{room}."))
            for held in (registry.RESOURCES, registry.COMMANDS, registry.EVENTS)
        ]
        rows.append((f"[{room}]({room}.md)", " · ".join(_said(f"room.{room}")), *(str(each or "") for each in counts)))
    more = ", ".join(f"[{name.removesuffix('.md').replace('-', ' ')}]({name})" for name in others)
    return "\n".join(
        [
            "# Reference · 参考\n",
            NOTE,
            "Every entity, command and event that the house declares, lowest floor first. The same is served by the",
            "running house: `/api/openapi.json` (OpenAPI) and `/api/meta` (limited to your rights).\n",
            _table(("room", "words", "entities", "commands", "events"), rows),
            f"Also: {more}.",
        ]
    )


# -- writing ----------------------------------------------------------------------------------------------------------


def _said(key: str) -> list[str]:
    from lianzao.foundation import words

    return [words.say(key, language) for language in LANGUAGES]


def _heading(name: str, words: str) -> str:
    return f"### {name}" + (f" ({words})" if words != name else "") + "\n"


def _first(doc: str | None) -> str:
    return _plain(inspect.cleandoc(doc or "").split("\n\n")[0].replace("\n", " "))


def _plain(text: str) -> str:
    """Text that Markdown leaves alone."""
    return re.sub(r"<(?=[a-zA-Z/])", "&lt;", text.strip())


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main(order: Sequence[str] = ()) -> int:
    """Write docs/reference and the schema and say so; with `--check` only say what is stale, and fail."""
    django_is_set_up()
    if "--check" in order:
        found = stale()
        print(
            "\n".join([*found, "not what the code says: run make docs, and commit it"]) if found else "as the code says"
        )
        return 1 if found else 0
    made = write()
    SCHEMA.write_text(schema(), encoding="utf-8")
    size = sum(page.stat().st_size for page in made)
    print(f"{len(made)} pages, {size / 1000:.0f} kB: {FOLDER.relative_to(ROOT)}; {SCHEMA.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
