"""Expected failures. Each names a code whose sentence lives in a room's words.json ("error.<code>")."""

from __future__ import annotations


class DomainError(Exception):
    """An expected refusal: a code, and the facts that fill its sentence.

    `status` is the HTTP status of the answer. `field` and `row` say where the input was wrong, if it was.
    """

    status = 422

    def __init__(self, code: str, *, field: str | None = None, row: int | None = None, **facts: object) -> None:
        super().__init__(code, facts)
        self.code = code
        self.field = field
        self.row = row
        self.facts = facts

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        where = "".join(
            f" [{label} {value}]" for label, value in (("field", self.field), ("row", self.row)) if value is not None
        )
        return f"{self.code}{where}" + (f" ({facts})" if facts else "")


class Invalid(DomainError):
    """The input itself is malformed or out of range; names the field."""


class RuleBroken(DomainError):
    """Well-formed, but a rule of the trade forbids it."""


class Conflict(DomainError):
    """The thing changed meanwhile, or is not in a state that allows this."""

    status = 409


class NotFound(DomainError):
    """Does not exist, or not for this actor: the two answers are the same on purpose."""

    status = 404


class NotAllowed(DomainError):
    """The actor lacks the right."""

    status = 403


class NotKnown(DomainError):
    """Nobody has identified himself."""

    status = 401


class Unavailable(DomainError):
    """What the house stands on is away for the moment. Trying again is right: an order is never done twice."""

    status = 503


class TooMuch(DomainError):
    """More was sent at once than we take."""

    status = 413


class Misdirected(DomainError):
    """The request was meant for another server than this one."""

    status = 421
