"""Purges of environments: packages unpacked for code that may not run any more, once unused for long.

An environment is known by its digest, and projects may share one: it goes when each project that has used it
lets it go. What goes can be had again: the lock file in the approved code names every package by its hash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phems.domain.actors import Actor
from phems.domain.code_revisions import stood_on
from phems.domain.retention import EndedRun, EnvironmentUse, Hold, unused
from phems.services.ports import Governance, Transaction
from phems.services.ports.clock import Clock
from phems.services.ports.environments import CodeInUse, ProjectEnvironments
from phems.services.ports.retention import RunLeftovers

AREA = "environments"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgedEnvironments:
    """What is to go, or went, of the environments that a project has used."""

    project: str
    area: str = AREA
    days: int
    """The rule: how long one is kept after its last use."""
    environments: tuple[str, ...]
    items: int
    """Files."""
    bytes: int


class EnvironmentPurges:
    """Purges of one node; `days_of` is each project's retention of environments, None for ever."""

    def __init__(
        self,
        governance: Governance,
        environments: ProjectEnvironments,
        in_use: CodeInUse,
        leftovers: RunLeftovers,
        *,
        days_of: Callable[[str], int | None],
        clock: Clock,
    ) -> None:
        self._governance = governance
        self._environments = environments
        self._in_use = in_use
        self._leftovers = leftovers
        self._days_of = days_of
        self._clock = clock

    def plan(self, projects: Sequence[str], only: str | None = None) -> list[PurgedEnvironments]:
        """What a purge would remove now. `projects` are all of the node; `only` is one, of whose alone."""
        if all(self._days_of(project) is None for project in projects):
            return []
        with self._governance.transaction() as work:
            uses = self._uses(work, projects)
        return self._told(uses, unused(uses, self._clock.now()), only)

    def purge(
        self, actor: Actor, projects: Sequence[str], only: str | None = None
    ) -> list[PurgedEnvironments]:
        """Remove it; it is recorded first."""
        with self._leftovers.held():
            planned = self.plan(projects, only)
            with self._governance.transaction() as work:
                for part in planned:
                    details = {
                        "area": part.area,
                        "older_than_days": part.days,
                        "environments": list(part.environments),
                        "items": part.items,
                        "bytes": part.bytes,
                    }
                    work.audit.append(
                        actor, "project.purge", part.project, project=part.project, details=details
                    )
            going = {digest for part in planned for digest in part.environments}
            with self._governance.transaction() as work:
                # Held until the end: what is approved meanwhile is built after that, and is not lost.
                for project in projects:
                    work.code_revisions.lock(project)
                for digest in sorted(going & unused(self._uses(work, projects), self._clock.now())):
                    self._environments.remove(digest)
        return planned

    def _told(
        self, uses: Sequence[EnvironmentUse], going: frozenset[str], only: str | None
    ) -> list[PurgedEnvironments]:
        built = self._environments.sizes()
        asked = {use.digest for use in uses if only in {None, use.project}} & going & built.keys()
        by_project: dict[str, list[str]] = {}
        for use in uses:
            if use.digest in asked:  # told of each project that it was of
                by_project.setdefault(use.project, []).append(use.digest)
        return [
            PurgedEnvironments(
                project=project,
                days=self._days_of(project) or 0,
                environments=tuple(sorted(digests)),
                items=sum(built[digest][0] for digest in digests),
                bytes=sum(built[digest][1] for digest in digests),
            )
            for project, digests in sorted(by_project.items())
        ]

    def _uses(self, work: Transaction, projects: Sequence[str]) -> list[EnvironmentUse]:
        return [use for project in projects for use in self._uses_of(work, project)]

    def _uses_of(self, work: Transaction, project: str) -> list[EnvironmentUse]:
        revisions = work.code_revisions.of_project(project)
        kept = {each.environment_digest for each in stood_on(revisions, self._in_use.commits(project))}
        named, digests = work.releases.runs_named(project), work.runs.code_digests(project)
        runs: dict[str, list[EndedRun]] = {}
        for run in self._leftovers.runs(project):
            runs.setdefault(digests.get(run.run_id, ""), []).append(run)
        found: dict[str, EnvironmentUse] = {}
        for revision in revisions:
            digest = revision.environment_digest
            if digest is None:
                continue
            of_it = runs.get(revision.digest, ())
            times = [
                revision.decided_at or revision.submitted_at,
                *(run.ended_at for run in of_it if run.ended_at),
            ]
            earlier = found.get(digest)
            found[digest] = EnvironmentUse(
                project=project,
                digest=digest,
                days=self._days_of(project),
                is_held=digest in kept
                or any(_holds(run, named) for run in of_it)
                or (earlier is not None and earlier.is_held),
                last_used_at=max([*times, *([earlier.last_used_at] if earlier else [])]),
            )
        return list(found.values())


def _holds(run: EndedRun, named: frozenset[str]) -> bool:
    return run.ended_at is None or run.run_id in named or Hold.RERUN in run.holds
