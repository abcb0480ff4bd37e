"""The run capsule: the one digest that names what a run is.

First form: code, job and selection, configuration, plan, and data grants. Two runs with the same
capsule run the same code on the same data in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phems.domain.canonical import digest


@dataclass(frozen=True)
class RunFacts:
    """What a run row says of a run, in plain types; none of it may change once it was asked for."""

    run_id: str
    project: str
    job: str
    plan_id: str
    run_config: str
    selection: tuple[str, ...]
    partition: str | None = None
    parent_run_id: str | None = None

    def fingerprint(self) -> str:
        """A digest of this very run: the row must still have it when the run is launched."""
        return digest(
            {
                "run_id": self.run_id,
                "project": self.project,
                "job": self.job,
                "plan": self.plan_id,
                "config": self.run_config,
                "selection": list(self.selection),
                "partition": self.partition,
                "parent": self.parent_run_id,
            }
        )


def capsule(facts: RunFacts, *, code_digest: str, grants: Mapping[str, str]) -> str:
    """The capsule's digest. `grants` maps each granted data source to its format and place."""
    content: dict[str, Any] = {
        "code": code_digest,
        "job": facts.job,
        "plan": facts.plan_id,
        "config": facts.run_config,
        "selection": list(facts.selection),
        "partition": facts.partition,
        "grants": dict(grants),
    }
    return digest(content)
