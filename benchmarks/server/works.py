"""What every peer does, and is timed at: the same work, in the words of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

FANOUT = 100
CHAIN = 20
EVENTS = 1000
ARTIFACT_MB = 200


@dataclass(frozen=True)
class Work:
    """One row of the comparison. `target` is how many times faster than dagster-celery the node is to be."""

    title: str
    target: float | None = None


WORKS: Mapping[str, Work] = {
    "one_op": Work("a run of one op", 15),
    "fanout": Work(f"a {FANOUT}-way fan-out", 8),
    "chain": Work(f"a chain of {CHAIN} ops", 10),
    "runs": Work("one-op runs at once", 12),
    "events": Work(f"{EVENTS:,} events of one step"),
    "artifact": Work(f"{ARTIFACT_MB} MB from one op to the next"),
}


class Peer(Protocol):
    """Something that does the works. Every method returns when the work has ended well."""

    @property
    def title(self) -> str:
        """What it is called in the tables."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What of it is not comparable, or set otherwise than it comes."""
        ...

    def do(self, work: str) -> None:
        """Do a work once; raises `NotImplementedError` for one that this peer has not."""
        ...

    def do_many(self, count: int) -> None:
        """Do so many runs of one op at once."""
        ...

    def close(self) -> None:
        """End every process of it."""
        ...


@runtime_checkable
class WithFanoutWidths(Protocol):
    """A peer whose fan-out can be of any width, and is drawn from narrower ones where it takes minutes."""

    @property
    def fanout_widths(self) -> Sequence[int]:
        """What it is drawn from; empty: it is measured."""
        ...

    def fan_out(self, width: int) -> None:
        """Do a fan-out of one of these widths."""
        ...
