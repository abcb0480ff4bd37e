"""What waits for a person, what of their own is on its way, and which of their runs came to nothing lately.

One transaction, and as many queries whatever there is: of release requests, those alone that are open.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from phems.domain.actors import Actor
from phems.domain.capsule_approvals import CapsuleApproval
from phems.domain.code_revisions import CodeRevision
from phems.domain.permissions import Role, Verb, may
from phems.domain.policy_versions import PolicyRecord
from phems.domain.releases import ReleaseRequest
from phems.domain.waiting import (
    Task,
    Underway,
    capsule_underway,
    request_underway,
    revision_underway,
    task_of_capsule,
    task_of_policy,
    task_of_request,
    task_of_revision,
)
from phems.services.ports import Governance
from phems.services.ports.clock import Clock
from phems.services.ports.engine_runs import EngineRun, EngineRunHistory

LATELY = timedelta(days=7)
MOST_RUNS = 10
CAME_TO_NOTHING = ("FAILURE",)

RolesIn = Callable[[str, str], frozenset[Role]]
"""The roles of a person in a project, node-wide ones included; for the empty name: those anywhere."""
T = TypeVar("T")


@dataclass(frozen=True)
class MyWork:
    """All that one person's first page shows; each list with the longest waiting first, runs the latest."""

    tasks: tuple[Task, ...]
    underway: tuple[Underway, ...]
    failed_runs: tuple[EngineRun, ...]


@dataclass(frozen=True)
class _Found:
    requests: Sequence[ReleaseRequest]
    revisions: Sequence[CodeRevision]
    capsules: Sequence[CapsuleApproval]
    policies: Sequence[PolicyRecord]


class WaitingWork:
    """The use case: it answers everybody about themselves."""

    def __init__(
        self,
        governance: Governance,
        projects: Callable[[], Collection[str]],
        roles_in: RolesIn,
        engine: EngineRunHistory,
        clock: Clock,
    ) -> None:
        self._governance = governance
        self._projects = projects
        self._roles_in = roles_in
        self._engine = engine
        self._clock = clock

    def of(self, actor: Actor) -> MyWork:
        """What there is for one person to do, and to wait for."""
        name = actor.name
        roles = self._roles(name)
        found = self._found(name, roles)
        now = self._clock.now()
        tasks = self._tasks(name, roles, found, now)
        underway = [
            *(request_underway(each, name) for each in found.requests),
            *(revision_underway(each, name) for each in found.revisions),
            *(capsule_underway(each, name) for each in found.capsules),
        ]
        own = _where(roles, "run.list")
        failed = self._engine.of_person(
            name, own, statuses=CAME_TO_NOTHING, since=now - LATELY, limit=MOST_RUNS
        )
        return MyWork(
            tuple(sorted(tasks, key=lambda task: task.since)),
            tuple(sorted(_there(underway), key=lambda thing: thing.since)),
            tuple(failed),
        )

    def tasks_of(self, actor: Actor) -> Sequence[Task]:
        """What waits for one person."""
        roles = self._roles(actor.name)
        return self._tasks(actor.name, roles, self._found(actor.name, roles), self._clock.now())

    def _roles(self, name: str) -> dict[str, frozenset[Role]]:
        return {project: self._roles_in(name, project) for project in self._projects()}

    def _tasks(
        self, name: str, roles: dict[str, frozenset[Role]], found: _Found, now: datetime
    ) -> Sequence[Task]:
        tasks = [
            *(task_of_request(each, name, roles[each.project]) for each in found.requests),
            *(task_of_revision(each, name, roles[each.project]) for each in found.revisions),
            *(task_of_capsule(each, name, roles[each.project], now) for each in found.capsules),
            *(task_of_policy(each, name, self._roles_in(name, each.scope)) for each in found.policies),
        ]
        return list(_there(tasks))

    def _found(self, name: str, roles: dict[str, frozenset[Role]]) -> _Found:
        with self._governance.transaction() as work:
            return _Found(
                work.releases.waiting_for(
                    name, reviewed=_where(roles, "release.vote"), own=_where(roles, "release.list")
                ),
                work.code_revisions.undecided(_where(roles, "code.list")),
                work.capsules.waiting_for(name, _where(roles, "capsule.list")),
                work.policies.pending(),
            )


def _where(roles: dict[str, frozenset[Role]], verb: Verb) -> list[str]:
    return [project for project, held in roles.items() if may(held, verb)]


def _there(things: Sequence[T | None]) -> Iterator[T]:
    return (thing for thing in things if thing is not None)
