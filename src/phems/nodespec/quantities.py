"""Kubernetes quantities in the node spec: `500m` or `2` CPUs, `512Mi` or `2Gi` of memory.

They are written as Kubernetes writes them, and read strictly: what Kubernetes would take and nobody means
(`memory: 500m` is half a byte) is refused here, and not found out when no pod starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from phems.nodespec.names import refuse

_NUMBER = r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,3})?"
CPU = rf"{_NUMBER}|[1-9][0-9]{{0,8}}m"
BYTES = rf"{_NUMBER}(?:[KMGT]i|[kMGT])?"
LEAST_BYTES = 1024**2
MOST_BYTES = 1024**5
MOST_CPUS = 1024

FACTORS: Mapping[str, Decimal] = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(1000),
    "M": Decimal(1000**2),
    "G": Decimal(1000**3),
    "T": Decimal(1000**4),
    "Ki": Decimal(1024),
    "Mi": Decimal(1024**2),
    "Gi": Decimal(1024**3),
    "Ti": Decimal(1024**4),
}


def amount(quantity: str) -> Decimal:
    """What a quantity of these forms amounts to: CPUs, or bytes."""
    number = quantity.rstrip("kmMGTKi")
    return Decimal(number) * FACTORS[quantity[len(number) :]]


def _reader(pattern: str, least: Decimal, most: Decimal, **told: str) -> Callable[[Any], str]:
    compiled = re.compile(pattern, re.ASCII)

    def read(value: Any) -> str:
        # `cpu: 2` is a number in YAML.
        text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
        if compiled.fullmatch(text) is None or not least <= amount(text) <= most:
            raise refuse(f"{str(value)[:40]!r} is {told['what']}", why=told["why"], remedy=told["remedy"])
        return text

    return read


CpuQuantity = Annotated[
    str,
    BeforeValidator(
        _reader(
            CPU,
            Decimal("0.001"),
            Decimal(MOST_CPUS),
            what="not an amount of CPU",
            why=f"it is a number of CPUs up to {MOST_CPUS}, or of thousandths with an m",
            remedy="write it as in 2, 0.5 or 500m",
        )
    ),
    Field(json_schema_extra={"pattern": f"^({CPU})$"}),
]
"""An amount of CPU, as Kubernetes writes it."""

BytesQuantity = Annotated[
    str,
    BeforeValidator(
        _reader(
            BYTES,
            Decimal(LEAST_BYTES),
            Decimal(MOST_BYTES),
            what="not an amount of memory or disk",
            why="it is a number of bytes, or a number with Ki, Mi, Gi or Ti, at least 1Mi and at most 1024Ti",
            remedy="write it as in 512Mi or 2Gi; an m would be thousandths of a byte",
        )
    ),
    Field(json_schema_extra={"pattern": f"^({BYTES})$"}),
]
"""An amount of memory or disk, as Kubernetes writes it."""
