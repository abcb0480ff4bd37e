"""Capabilities: what a process of the project plane may do, for how long, in which name.

A capability names one project. A *step* capability names also one run, one step and one attempt;
a *location* capability (the project host's own, for schedules, sensors and loading) names none of
them; a *waiting* one names a pod that has no step yet, and is worth nothing but asking for one. The control
plane signs it; the project side only carries it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from phems.errors import RefusedError

CapabilityKind = Literal["step", "location", "waiting"]


@dataclass(frozen=True)
class Capability:
    """The claims of one capability. `expires_at` is in seconds of the clock of who issued it."""

    kind: CapabilityKind
    project: str
    expires_at: float
    code_digest: str
    run_id: str | None = None
    step_key: str | None = None
    attempt: int | None = None
    pod: str | None = None

    def is_expired(self, now: float) -> bool:
        """Whether it has run out at `now`, by the same clock."""
        return now >= self.expires_at

    def to_claims(self) -> dict[str, Any]:
        """The claims as JSON."""
        return asdict(self)

    @classmethod
    def from_claims(cls, claims: dict[str, Any]) -> Capability:
        """Read claims whose signature has been verified; raises `RefusedError` when they make no sense."""
        known = {name: claims[name] for name in cls.__dataclass_fields__ if name in claims}
        try:
            capability = cls(**known)
        except TypeError as error:
            raise RefusedError("The capability lacks a claim.", why=str(error)) from error
        if capability.kind not in get_args(CapabilityKind):
            raise RefusedError(f"{capability.kind!r} is no kind of capability.")
        of_step = (capability.run_id, capability.step_key, capability.attempt)
        fits = all((part is None) is not (capability.kind == "step") for part in of_step)
        if not fits or (capability.pod is None) is (capability.kind == "waiting"):
            raise RefusedError(
                "The capability's claims do not fit its kind.",
                why="A step capability names a run, a step and an attempt, a waiting one a pod, and a "
                "location capability none of them.",
            )
        return capability
