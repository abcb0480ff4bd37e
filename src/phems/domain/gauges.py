"""Numbers that a node tells of itself: names, meanings and values, for whatever collects them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Gauge:
    """One number, by labels. No label holds a text of a person, of project code or of data."""

    name: str
    about: str
    values: Sequence[tuple[Mapping[str, str], float]]
    kind: Literal["gauge", "counter"] = "gauge"

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its labels; the first value has all of them."""
        return tuple(self.values[0][0]) if self.values else ()
