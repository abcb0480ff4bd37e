"""Who makes the request that is being answered, for everything that happens on its behalf.

`calling` sets three context variables: the gateway's own, the engine's `requester`, which stamps the runs
that Dagster submits, and the authority by which everything that asks for the caller's roles is answered.
Threads and tasks that a request starts inherit them (anyio and asyncio copy the context). Code that finds
no caller must refuse.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum

from phems.domain.actors import Actor
from phems.domain.authority import Authority
from phems.engine.admission_point import requester
from phems.services.membership import acting


class Credential(Enum):
    """What a request was signed in with: a browser sends cookies by itself, a token it never does.

    A coordinator's token stands for no person, and opens the released packages alone.
    """

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 (a kind, not a secret)
    COORDINATOR = "coordinator's token"


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in person, or a coordinator, for the time of one request."""

    actor: Actor
    credential: Credential
    authority: Authority | None = None
    """The groups and the scope that a person comes with; None for a coordinator."""

    @property
    def name(self) -> str:
        """The name they sign in with."""
        return self.actor.name


current_caller: ContextVar[Caller | None] = ContextVar("phems_caller", default=None)


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """Let `caller` be the one on whose behalf the block runs."""
    caller_before = current_caller.set(caller)
    requester_before = requester.set(caller.name)
    try:
        with acting(caller.authority):
            yield
    finally:
        requester.reset(requester_before)
        current_caller.reset(caller_before)
