"""Who acts: every use case takes an `Actor` first, and every audit entry names one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["person", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """A person by the name they sign in with, or a part of the node that acts on its own."""

    name: str
    kind: ActorKind = "person"

    def __str__(self) -> str:
        return self.name


LOCAL_OPERATOR = Actor("local-operator", "person")
"""Whoever can read the node's keys folder: they could act as anyone anyway, so the command line lets
them set up the first users, and the audit log says it was done this way."""

NODE = Actor("node", "system")
"""The node itself: what it does at its start, on a timer, or on finding something wrong."""
