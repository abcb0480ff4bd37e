"""What waits for people, what of a person's own is on its way, which of their runs came to nothing lately.

One transaction, and as many queries whatever there is: of release requests, those alone that are open.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
from phems.services.membership import RolesIn
from phems.services.ports import Governance
from phems.services.ports.clock import Clock
from phems.services.ports.engine_runs import EngineRun, EngineRunHistory

LATELY = timedelta(days=7)
MOST_RUNS = 10
CAME_TO_NOTHING = ("FAILURE",)

_Roles = Mapping[str, frozenset[Role]]
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
        roles = self._roles(name, self._roles_in)
        found = self._found([name], [roles])
        now = self._clock.now()
        tasks = self._tasks(name, roles, self._roles_in, found, now)
        underway = [
            *(request_underway(each, name) for each in found.requests),
            *(revision_underway(each, name) for each in found.revisions),
            *(capsule_underway(each, name) for each in found.capsules),
        ]
        own = _where([roles], "run.list")
        failed = self._engine.of_person(
            name, own, statuses=CAME_TO_NOTHING, since=now - LATELY, limit=MOST_RUNS
        )
        return MyWork(
            tuple(sorted(tasks, key=lambda task: task.since)),
            tuple(sorted(_there(underway), key=lambda thing: thing.since)),
            tuple(failed),
        )

    def tasks_of(self, names: Collection[str], roles_in: RolesIn) -> Mapping[str, Sequence[Task]]:
        """What waits for each of these people; as many queries, however many they are."""
        roles = {name: self._roles(name, roles_in) for name in names}
        found = self._found(names, roles.values())
        now = self._clock.now()
        return {name: self._tasks(name, roles[name], roles_in, found, now) for name in names}

    def _roles(self, name: str, roles_in: RolesIn) -> _Roles:
        return {project: roles_in(name, project) for project in self._projects()}

    def _tasks(
        self, name: str, roles: _Roles, roles_in: RolesIn, found: _Found, now: datetime
    ) -> Sequence[Task]:
        """The rules decide for whom: what was found may be there for another of those asked about."""
        tasks = [
            *(task_of_request(each, name, roles[each.project]) for each in found.requests),
            *(task_of_revision(each, name, roles[each.project]) for each in found.revisions),
            *(task_of_capsule(each, name, roles[each.project], now) for each in found.capsules),
            *(task_of_policy(each, name, roles_in(name, each.scope)) for each in found.policies),
        ]
        return list(_there(tasks))

    def _found(self, names: Collection[str], roles: Collection[_Roles]) -> _Found:
        with self._governance.transaction() as work:
            return _Found(
                work.releases.waiting_for(
                    names, reviewed=_where(roles, "release.vote"), own=_where(roles, "release.list")
                ),
                work.code_revisions.undecided(_where(roles, "code.list")),
                work.capsules.waiting_for(names, _where(roles, "capsule.list")),
                work.policies.pending(),
            )


def _where(roles: Collection[_Roles], verb: Verb) -> list[str]:
    return sorted({project for each in roles for project, held in each.items() if may(held, verb)})


def _there(things: Sequence[T | None]) -> Iterator[T]:
    return (thing for thing in things if thing is not None)
