"""What people do in Dagster's own pages and GraphQL, in the audit log before it is done.

Dagster keeps its state in tables of its own, so that an act and its entry cannot be one transaction. The
entry comes first: it says that the act was asked for and let through, and what cannot be recorded is not
done. What the act led to (a run admitted, cancelled) has entries of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phems.domain.actors import Actor
from phems.errors import RefusedError
from phems.services.ports import Governance


@dataclass(frozen=True, slots=True)
class EngineAct:
    """One mutation: its name in Dagster's GraphQL, and the ids of what it is about."""

    name: str
    subject: str
    project: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class EngineActs:
    """The use case."""

    def __init__(self, governance: Governance) -> None:
        self._governance = governance

    def record(self, actor: Actor, act: EngineAct, refusal: RefusedError | None = None) -> None:
        """Write the entry of an act that is about to be done, or that was refused."""
        details = dict(act.details)
        if refusal is not None:
            details["what"] = refusal.logged or refusal.what
        with self._governance.transaction() as work:
            work.audit.append(
                actor,
                f"dagster.{act.name}",
                act.subject,
                project=act.project,
                result="refused" if refusal is not None else "done",
                details=details,
            )
