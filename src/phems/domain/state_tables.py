"""State tables as data: what may follow what, by which action, on whose word.

A table is a tuple of `Transition` rows. `StateTable.after` answers the next state or raises
`RefusedError`; `StateTable.allows` answers yes or no. The diagrams of the documentation are drawn
from the same rows (`state_pages.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

from phems.errors import RefusedError

S = TypeVar("S", bound=StrEnum)
A = TypeVar("A", bound=StrEnum)


@dataclass(frozen=True)
class Transition(Generic[S, A]):
    """One row: in `source`, `action` leads to `target`; `by` names who does it, `note` says when.

    `source` is None for the row that brings the thing into being.
    """

    source: S | None
    action: A
    target: S
    by: str
    note: str = ""


@dataclass(frozen=True)
class StateTable(Generic[S, A]):
    """The rows of one kind of thing, and the lookup made from them."""

    thing: str
    rows: tuple[Transition[S, A], ...]
    _lookup: Mapping[tuple[S | None, A], S] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lookup = {(row.source, row.action): row.target for row in self.rows}
        if len(lookup) != len(self.rows):
            raise ValueError(f"Two rows of the {self.thing} table share a state and an action.")
        object.__setattr__(self, "_lookup", MappingProxyType(lookup))

    def allows(self, state: S | None, action: A) -> bool:
        """Whether `action` is possible in `state`."""
        return (state, action) in self._lookup

    def after(self, state: S | None, action: A, *, name: str, remedy: str) -> S:
        """The state that `action` leads to; refuses, naming the states in which it is possible."""
        if not self.allows(state, action):
            sources = [row.source for row in self.rows if row.action == action]
            states = ", ".join(source.value for source in sources if source is not None) or "none"
            raise RefusedError(
                f"The {self.thing} {name} cannot take '{action.value}' now.",
                why=f"It is {state.value if state else 'new'}; '{action.value}' is possible in: {states}.",
                remedy=remedy,
            )
        return self._lookup[state, action]

    def terminal(self) -> tuple[S, ...]:
        """The states that nothing leads out of, in the order of the rows."""
        sources = {row.source for row in self.rows}
        return tuple(dict.fromkeys(row.target for row in self.rows if row.target not in sources))
