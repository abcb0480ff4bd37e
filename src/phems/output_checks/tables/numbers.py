"""Numbers as they stand in tables: whole or decimal, with or without thousands separators."""

from __future__ import annotations

import math
import re

_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
# What people write for a suppressed cell, and what it gives away: fewer than so many.
_FEWER_THAN = re.compile(r"\s*(?P<sign><|≤|<=)\s*(?P<number>\d{1,9})\s*")


def number(text: str) -> float | None:
    """The number that a text is; None when it is none, or is no finite one."""
    plain = text.strip()
    if "," in plain and _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        value = float(plain)
    except ValueError:
        return None
    # Python reads 1_000, people do not.
    return value if math.isfinite(value) and "_" not in plain else None


def whole_number(text: str) -> int | None:
    """The whole number, zero or more, that a text is; None when it is none."""
    value = number(text)
    return int(value) if value is not None and value >= 0 and value == int(value) else None


def decimals(text: str) -> int:
    """How many decimals a number is written with."""
    mantissa, _, exponent = text.strip().lower().partition("e")
    shift = int(exponent) if exponent.lstrip("+-").isdigit() else 0
    return max(len(mantissa.partition(".")[2]) - shift, 0)


def ceiling(mark: str) -> int | None:
    """The largest whole number that a mark such as '<10' admits; None for marks that say nothing."""
    match = _FEWER_THAN.fullmatch(mark)
    if match is None:
        return None
    return int(match["number"]) - (match["sign"] == "<")
