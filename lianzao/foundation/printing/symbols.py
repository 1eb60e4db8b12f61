"""QR codes and Code 128 bars as SVG that prints sharp at any size."""

from __future__ import annotations

import io

import segno

from lianzao.values.gs1 import SEPARATOR

#: Modules of white a reader needs around the bars.
QUIET = 10
#: Widths of bar and space in turn, of the values 0 to 106 of Code 128 (106 is the stop).
PATTERNS = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222"
    " 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321"
    " 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121"
    " 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224"
    " 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111"
    " 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113"
    " 114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 2331112"
).split()
START_B, START_C, CODE_C, CODE_B, FNC1, STOP = 104, 105, 99, 100, 102, 106


def qr(text: str) -> str:
    """A QR code of a text, with a quiet zone, one unit for a module."""
    made = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        made, kind="svg", border=4, xmldecl=False, svgns=False, omitsize=True, svgclass="qr", lineclass=None
    )
    return made.getvalue().decode()


def values_of(text: str, *, gs1: bool = False) -> list[int]:
    """The values of a text in Code 128, with start, check value and stop: pairs of digits in C, all else in B.

    `gs1`: it begins with FNC1, and the separators in it are FNC1 too. Raises ValueError for signs beyond ASCII.
    """
    if any(not (32 <= ord(sign) <= 126 or (gs1 and sign == SEPARATOR)) for sign in text) or not text:
        raise ValueError("Code 128 here holds plain ASCII only")
    values: list[int] = []
    in_c = False
    place = 0

    def digits_at(at: int) -> int:
        end = at
        while end < len(text) and text[end].isdigit():
            end += 1
        return end - at

    run = digits_at(0)
    in_c = run >= 4 or (run == len(text) and run % 2 == 0)
    values.append(START_C if in_c else START_B)
    if gs1:
        values.append(FNC1)
    while place < len(text):
        if text[place] == SEPARATOR:
            values.append(FNC1)
            place += 1
            continue
        run = digits_at(place)
        if in_c and run < 2:
            values.append(CODE_B)
            in_c = False
        elif (not in_c and run >= 6) or (not in_c and run >= 4 and place + run == len(text)):
            if run % 2:
                values.append(ord(text[place]) - 32)
                place += 1
            values.append(CODE_C)
            in_c = True
        if in_c:
            values.append(int(text[place : place + 2]))
            place += 2
        else:
            values.append(ord(text[place]) - 32)
            place += 1
    check = (values[0] + sum(weight * value for weight, value in enumerate(values[1:], 1))) % 103
    return [*values, check, STOP]


def code128(text: str) -> str:
    """The bars of a text, one unit for a module. `]C1` before it: a GS1-128. A text that is not ASCII: a QR code."""
    gs1 = text.startswith("]C1")
    try:
        values = values_of(text.removeprefix("]C1"), gs1=gs1)
    except ValueError:
        return qr(text)
    at = QUIET
    bars: list[str] = []
    for value in values:
        for turn, width in enumerate(PATTERNS[value]):
            if turn % 2 == 0:
                bars.append(f"M{at} 0h{width}v60h-{width}z")
            at += int(width)
    return (
        f'<svg class="bars" viewBox="0 0 {at + QUIET} 60" preserveAspectRatio="none"><path d="{"".join(bars)}"/></svg>'
    )
