"""Sizes in the node spec: `2GiB`, `50 MB` or a whole number of bytes.

Binary units (KiB, MiB, GiB, TiB) are powers of 1024, decimal units (kB, MB, GB, TB) powers of 1000,
as in IEC 80000-13; letters may be of either case, a space before the unit is allowed, a fraction
too (`1.5GiB`) as long as the result is a whole number of bytes.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

# Larger than any machine; keeps a typing error ("9999999TiB") from becoming a limit that limits nothing.
LARGEST = 2**60

UNITS: dict[str, int] = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
_SHOWN = (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))
_PATTERN = r"[0-9]{1,19}(\.[0-9]{1,6})? ?([kKmMgGtT][iI]?)?[bB]?"


def parse_size(value: int | str) -> int:
    """Bytes of a size as written; ValueError says what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a size is a whole number of bytes or text such as 2GiB")  # noqa: TRY004
    if isinstance(value, str):
        value = _parse_text(value)
    if not 0 < value <= LARGEST:
        raise ValueError("a size is at least 1 byte and at most 1048576TiB")
    return value


def _parse_text(text: str) -> int:
    text = text.strip()
    if not re.fullmatch(_PATTERN, text, re.ASCII):
        raise ValueError(f"{text[:40]!r} is not a size")
    number = re.match(r"[0-9.]+", text)
    assert number is not None  # noqa: S101 (the pattern above starts with a digit)
    unit = text[number.end() :].strip().lower()
    if unit not in UNITS:
        raise ValueError(f"{text[number.end() :].strip()!r} is not a unit of size")
    size = Decimal(number.group()) * UNITS[unit]
    if size != size.to_integral_value():
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return int(size)


def format_size(size: int) -> str:
    """The shortest exact way to write a size: 2147483648 is `2GiB`, 1000 is `1000`."""
    for unit, factor in _SHOWN:
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def _validate(value: Any) -> int:
    try:
        return parse_size(value)
    except ValueError as error:
        raise PydanticCustomError(
            "phems",
            "is not a size",
            {
                "why": str(error),
                "remedy": "write a number of bytes, or a number and a unit: 512MiB, 2GiB, 10GB",
            },
        ) from None


Size = Annotated[
    int,
    BeforeValidator(_validate),
    Field(examples=["2GiB", "50MB", 1048576]),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{_PATTERN}$"}]},
        mode="validation",
    ),
]
"""A field in bytes, written as in `parse_size`."""
