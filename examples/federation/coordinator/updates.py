"""What a node sends, and whether it may be averaged: numbers, as many as were agreed on, all of them finite.

Whatever is wrong is an `IntegrityError` that names the node: a round with a bad update is not averaged.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from phems.errors import IntegrityError

_KEYS = {"round", "patients", "coefficients"}


@dataclass(frozen=True)
class Update:
    """One hospital's coefficients after a round, and how many patients they are of."""

    node: str
    patients: int
    coefficients: Mapping[str, float]


def read_update(content: bytes, *, node: str, number: int, names: Sequence[str]) -> Update:
    """The update that a file holds, for round `number` and the coefficients `names`."""

    def refuse(why: str) -> NoReturn:
        raise IntegrityError(
            f"The update of {node} cannot be averaged.",
            why=why,
            remedy=f"Tell {node}; the round stays open until it has released another.",
        )

    def no_constant(word: str) -> NoReturn:
        refuse(f"it holds {word}, which is no number.")

    try:
        found = json.loads(content, parse_constant=no_constant)
    except ValueError:
        refuse("it is no JSON.")
    if not isinstance(found, dict) or set(found) != _KEYS:
        refuse(f"it must have {', '.join(sorted(_KEYS))}, and nothing else.")
    if found["round"] != number:
        refuse(f"it is of round {found['round']!r}, and this is round {number}.")
    patients, coefficients = found["patients"], found["coefficients"]
    if not _whole(patients) or patients < 1:
        refuse(f"it is of {patients!r} patients.")
    if not isinstance(coefficients, dict) or set(coefficients) != set(names):
        refuse(f"its coefficients must be {', '.join(names)}.")
    for name, value in coefficients.items():
        if not _finite(value):
            refuse(f"{name} is {value!r}, and no finite number.")
    return Update(node, patients, {name: float(coefficients[name]) for name in names})


def average(updates: Sequence[Update]) -> dict[str, float]:
    """FedAvg (McMahan and others, 2017): the mean of each coefficient, weighted by patients."""
    everybody = sum(update.patients for update in updates)
    return {
        name: sum(update.patients * update.coefficients[name] for update in updates) / everybody
        for name in updates[0].coefficients
    }


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _finite(value: Any) -> bool:
    return (_whole(value) or isinstance(value, float)) and math.isfinite(value)
