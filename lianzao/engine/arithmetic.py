"""Exact integer arithmetic for compiled code: quantities times ratios without overflow, and rounding to steps."""

from __future__ import annotations

from lianzao.engine.compiling import kernel

NEVER_S = 2**62  # inside the engine: an instant that does not come


@kernel
def times_ratio(quantity: int, numerator: int, denominator: int, round_up: bool) -> int:
    """quantity * numerator / denominator, rounded down or up; -1 when the result would not fit.

    All arguments are >= 0 and below 2**61, denominator > 0. The product is built bit by bit (as on paper) only when it
    does not fit 64 bits.
    """
    if quantity == 0 or numerator == 0:
        return 0
    if float(quantity) * float(numerator) / float(denominator) > 4.0e18:
        return -1
    whole = (quantity // denominator) * numerator
    part = quantity % denominator
    if part <= (2**62) // numerator:
        product = part * numerator
        result = product // denominator
        left = product % denominator
    else:
        result, left = 0, 0
        for bit in range(61, -1, -1):
            result = result * 2
            left = left * 2
            if left >= denominator:
                left -= denominator
                result += 1
            if (numerator >> bit) & 1:
                left += part
                if left >= denominator:
                    left -= denominator
                    result += 1
    if round_up and left > 0:
        result += 1
    return whole + result


@kernel
def up_to(quantity: int, step: int) -> int:
    """The smallest multiple of step that is >= quantity (step <= 1: unchanged)."""
    if step <= 1:
        return quantity
    return ((quantity + step - 1) // step) * step


@kernel
def down_to(quantity: int, step: int) -> int:
    """The largest multiple of step that is <= quantity (step <= 1: unchanged)."""
    if step <= 1:
        return quantity
    return (quantity // step) * step
