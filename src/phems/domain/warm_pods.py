"""Warm pods: what may become of a pod that waits for a step, and how many are made or dismissed when.

A pod that waits has loaded a project's definitions. It is given one step, once: no way leads from the state
in which it has one to another. Times are seconds of a clock that nobody sets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

# Project code that was imported yesterday has yesterday's date: none waits for longer than this.
MOST_SECONDS = 3600.0
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0


class WarmState(StrEnum):
    """Where a warm pod is between its start and its end."""

    STARTING = "starting"
    LOADING = "loading"
    WAITING = "waiting"
    TAKEN = "taken"
    GONE = "gone"


class WarmEvent(StrEnum):
    """What happens to a warm pod."""

    ASKS_WHAT_TO_LOAD = "it asks what to load"
    ASKS_FOR_ITS_STEP = "it has loaded, and asks for its step"
    ASSIGNED = "a step is assigned to it"
    DISMISSED = "it is not wanted any more"
    ENDED = "its Job has ended"


_UNTAKEN = (WarmState.STARTING, WarmState.LOADING, WarmState.WAITING)

MOVES: Mapping[tuple[WarmState, WarmEvent], WarmState] = {
    (WarmState.STARTING, WarmEvent.ASKS_WHAT_TO_LOAD): WarmState.LOADING,
    # An answer may be lost on its way, and is asked for again.
    (WarmState.LOADING, WarmEvent.ASKS_WHAT_TO_LOAD): WarmState.LOADING,
    (WarmState.LOADING, WarmEvent.ASKS_FOR_ITS_STEP): WarmState.WAITING,
    (WarmState.WAITING, WarmEvent.ASKS_FOR_ITS_STEP): WarmState.WAITING,
    (WarmState.TAKEN, WarmEvent.ASKS_FOR_ITS_STEP): WarmState.TAKEN,
    (WarmState.WAITING, WarmEvent.ASSIGNED): WarmState.TAKEN,
    **{(state, WarmEvent.DISMISSED): WarmState.GONE for state in _UNTAKEN},
    **{(state, WarmEvent.ENDED): WarmState.GONE for state in (*_UNTAKEN, WarmState.TAKEN)},
}
"""What is not here does not happen: who asks for it is refused."""


@dataclass(frozen=True)
class WarmPod:
    """A warm pod as it is now."""

    name: str
    state: WarmState
    code_digest: str
    made_at: float


@dataclass(frozen=True)
class Failures:
    """How many warm pods in a row ended before a step was theirs, and when the last of them did."""

    count: int = 0
    last_at: float = 0.0

    @property
    def over_at(self) -> float:
        """When the next one may be made."""
        return self.last_at + pause_after(self.count)


@dataclass(frozen=True)
class Upkeep:
    """What is to be done now, and when to look again if nothing happens before."""

    dismiss: tuple[str, ...]
    make: int
    look_at: float | None


def pause_after(failures: int) -> float:
    """How long no warm pod is made after so many have failed in a row."""
    if failures == 0:
        return 0.0
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE_SECONDS)


def upkeep(
    pods: Collection[WarmPod], code_digest: str | None, number: int, failures: Failures, now: float
) -> Upkeep:
    """What keeps `number` pods waiting with this code; one at a time while they fail."""
    untaken = [pod for pod in pods if pod.state in _UNTAKEN]
    kept = [pod for pod in untaken if pod.code_digest == code_digest and now - pod.made_at < MOST_SECONDS]
    dismiss = tuple(pod.name for pod in untaken if pod not in kept)
    wanted = 0 if code_digest is None else min(number, 1) if failures.count else number
    missing = max(0, wanted - len(kept))
    moments = [pod.made_at + MOST_SECONDS for pod in kept]
    if missing and now < failures.over_at:
        moments.append(failures.over_at)
        missing = 0
    return Upkeep(dismiss, missing, min(moments, default=None))
