"""The shipped roles speak of things that exist."""

from __future__ import annotations

from lianzao.access.roles import SHIPPED
from lianzao.foundation import registry
from lianzao.foundation.actor import right_matches


def test_every_right_of_a_shipped_role_opens_something() -> None:
    """A right that matches nothing is a slip of the pen; rooms that are not installed are passed over."""
    registry.load()
    known = {command.right for command in registry.COMMANDS.values()} | {
        "foundation.view_order",
        "foundation.import_file",
    }
    for resource in registry.RESOURCES.values():
        known |= {resource.view_right, f"{resource.room}.unmask_{resource.entity}"}
    rooms = {right.partition(".")[0] for right in known}
    idle = [
        f"{role.code}: {right}"
        for role in SHIPPED
        for right in role.rights
        if right.partition(".")[0] in rooms and not any(right_matches(right, each) for each in known)
    ]
    assert idle == []
