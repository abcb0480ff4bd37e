"""Handing released packages to federation coordinators: each delivery is an audit entry before it happens.

What is not RELEASED, or of a project that does not name the coordinator, looks like what was never there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from phems.domain.actors import Actor
from phems.domain.coordinators import name_of_coordinator
from phems.domain.release_states import ReleaseState
from phems.errors import NotFoundError
from phems.services.ports import Governance
from phems.services.ports.artifacts import ReleaseZone

ProjectsOf = Callable[[str], frozenset[str]]


@dataclass(frozen=True)
class Delivery:
    """A package that may be handed over, once; `released_at` dates it."""

    request_id: str
    released_at: datetime | None
    copy_to: Callable[[Path], Path]


class Deliveries:
    """The use case. `projects_of` says which projects name a coordinator, as of now."""

    def __init__(self, governance: Governance, zone: ReleaseZone, projects_of: ProjectsOf) -> None:
        self._governance = governance
        self._zone = zone
        self._projects_of = projects_of

    def deliver(self, coordinator: Actor, request_id: str) -> Delivery:
        """The package of a request that was released to the coordinator."""
        projects = self._projects_of(name_of_coordinator(coordinator))
        with self._governance.transaction() as work:
            request = work.releases.get(request_id)
            released = request is not None and request.state is ReleaseState.RELEASED
            if request is None or not released or request.project not in projects:
                raise self._nothing(request_id)
            if not self._zone.holds(request_id):
                raise self._nothing(request_id)
            details = {"manifest": request.package_digest}
            work.audit.append(
                coordinator, "release.deliver", request_id, project=request.project, details=details
            )
        return Delivery(
            request_id, request.released_at, lambda target: self._zone.copy_to(request_id, target)
        )

    def _nothing(self, request_id: str) -> NotFoundError:
        return NotFoundError(
            f"There is no released package {request_id!r} for you.",
            why="nothing of this name was released to you, or it was revoked.",
            remedy="GET /api/releases",
        )
