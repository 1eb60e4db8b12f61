"""Import contracts of our own, for what import-linter's kinds cannot say about rooms that come and go."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class DoorContract(Contract):
    """Some modules may be imported from some places only.

    `doors` holds lines "what <- from where | from where": names with `*` for one part; `{room}` in both stands for the
    same room. A module counts with everything below it.
    """

    type_name = "doors"
    doors = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        broken: list[dict[str, Any]] = []
        for line in self.doors:  # type: ignore[attr-defined]
            what, _, places = line.partition("<-")
            for importer, imported in _imports(graph, what.strip()):
                allowed = [place.strip().replace("{room}", _room(imported)) for place in places.split("|")]
                if not any(_within(importer, place) for place in allowed):
                    details = graph.get_import_details(importer=importer, imported=imported)
                    broken.append({"importer": importer, "imported": imported, "line": details[0]["line_number"]})
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for one in check.metadata["broken"]:
            output.print_error(f"{one['importer']} may not import {one['imported']} (line {one['line']})", bold=False)


def _imports(graph: ImportGraph, what: str) -> list[tuple[str, str]]:
    pattern = what.replace("{room}", "*")
    wanted = [module for module in graph.modules if _within(module, pattern)]
    return sorted((by, module) for module in wanted for by in graph.find_modules_that_directly_import(module))


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "lianzao" and len(parts) > 1 else ""


def _within(module: str, pattern: str) -> bool:
    """Whether `module` is, or lies below, what the pattern names part by part."""
    have, want = module.split("."), pattern.split(".")
    return len(have) >= len(want) and all(fnmatchcase(one, other) for one, other in zip(have, want, strict=False))
