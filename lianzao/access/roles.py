"""The roles that come with the product, read from roles.json (code, words, audience, home, rights)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ShippedRole:
    """One role as shipped."""

    code: str
    name: str
    name_en: str
    audience: str
    home: str
    rights: tuple[str, ...]
    masks: tuple[str, ...] = ()


def read() -> tuple[ShippedRole, ...]:
    """The roles of roles.json; each may name sets of rights of its "sets" by `@name`."""
    data = json.loads(Path(__file__).with_name("roles.json").read_text(encoding="utf-8"))
    made = []
    for code, role in data["roles"].items():
        rights: list[str] = []
        for right in role["rights"]:
            rights.extend(data["sets"][right[1:]] if right.startswith("@") else [right])
        made.append(
            ShippedRole(
                code=code,
                name=role["name"][0],
                name_en=role["name"][1],
                audience=role.get("audience", "own"),
                home=role["home"],
                rights=tuple(sorted(set(rights))),
                masks=tuple(role.get("masks", ())),
            )
        )
    return tuple(made)


SHIPPED = read()
