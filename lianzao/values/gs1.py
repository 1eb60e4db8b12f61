"""What a label says in GS1's words: element strings, as they are printed in a GS1-128 or a QR code, and read back."""

from __future__ import annotations

import re

#: Application identifiers we print or read, with the length of what follows; 0: as long as it is, up to the separator.
IDENTIFIERS = {"00": 18, "01": 14, "02": 14, "10": 0, "11": 6, "15": 6, "17": 6, "21": 0, "37": 0, "240": 0, "400": 0}
#: Ends an element of free length when another follows (FNC1 as readers give it).
SEPARATOR = "\x1d"
#: What readers put before an element string to say that it is one.
MARKS = ("]C1", "]d2", "]Q3")
_BRACKETED = re.compile(r"\((\d{2,4})\)([^(]*)")


def element_string(parts: dict[str, str]) -> str:
    """`(00)…(10)…` with separators where they are needed: what is encoded, without brackets."""
    made = ""
    for place, (identifier, text) in enumerate(parts.items(), 1):
        length = IDENTIFIERS[identifier]
        if length and len(text) != length:
            raise ValueError(f"({identifier}) has {length} signs")
        made += identifier + text
        if not length and place < len(parts):
            made += SEPARATOR
    return made


def shown(parts: dict[str, str]) -> str:
    """The same for people, below the bars: `(00)123…(10)L-1`."""
    return "".join(f"({identifier}){text}" for identifier, text in parts.items())


def elements(code: str) -> dict[str, str]:
    """The elements of a scanned code; empty when it is not an element string but, say, a plain number."""
    text = code.strip()
    if text.startswith("("):
        found = {identifier: value for identifier, value in _BRACKETED.findall(text) if identifier in IDENTIFIERS}
        return found if shown(found) == text else {}
    marked = text.startswith(MARKS)
    if marked:
        text = text[3:]
    elif SEPARATOR not in text and not (len(text) == 20 and text.startswith("00") and text.isdigit()):
        return {}
    parts: dict[str, str] = {}
    while text:
        identifier = next((text[:size] for size in (2, 3, 4) if text[:size] in IDENTIFIERS), None)
        if identifier is None:
            return {}
        rest = text[len(identifier) :]
        length = IDENTIFIERS[identifier]
        value = rest[:length] if length else rest.partition(SEPARATOR)[0]
        if not value or (length and len(value) != length):
            return {}
        parts[identifier] = value
        text = rest[len(value) :].removeprefix(SEPARATOR)
    return parts
