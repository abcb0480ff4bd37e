"""Bringing the Code Mount in step with what is approved: code, environments, the pointer to what is current.

The running node does the same by itself for what it serves. This is for a machine that the node's processes
start on later (a volume of a cluster, a new disk), and it takes away what nothing stands on any more. Nothing
is decided here: only what is approved, with approvals that verify at this moment, is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phems.domain.actors import NODE
from phems.domain.code_revisions import CodeRevision, stood_on
from phems.errors import IntegrityError, PhemsError
from phems.services.code_approvals import CodeApprovals
from phems.services.ports import Governance
from phems.services.ports.code_repos import CodeMount, CodeRepos
from phems.services.ports.environments import CodeInUse, ProjectEnvironments
from phems.services.project_access import ProjectRules

MOVED = "moved"


@dataclass(frozen=True, slots=True)
class SyncedProject:
    """What became of one project. `code` and `environment`: `present`, `fetched` or `built`, or would be."""

    project: str
    commit: str | None = None
    digest: str | None = None
    environment_digest: str | None = None
    code: str = "none"
    environment: str = "none"
    pointer: str = "unchanged"
    removed: tuple[str, ...] = ()
    """Content digests that nothing stands on any more."""
    error: str = ""

    @property
    def changes(self) -> bool:
        """Whether anything is or would be different from before."""
        settled = {"none", "present", "unchanged"}
        return bool(self.removed) or not {self.code, self.environment, self.pointer} <= settled


class CodeSync:
    """The use case. `requirements_of(project)` names the lock file of its environment; None for none.

    `keeps_unused(project)`: its unused environments are left to purges.
    """

    def __init__(
        self,
        governance: Governance,
        repos: CodeRepos,
        mount: CodeMount,
        environments: ProjectEnvironments,
        approvals: CodeApprovals,
        in_use: CodeInUse,
        rules_of: Callable[[str], ProjectRules],
        requirements_of: Callable[[str], str | None],
        keeps_unused: Callable[[str], bool] = lambda _project: False,
    ) -> None:
        self._governance = governance
        self._repos = repos
        self._mount = mount
        self._environments = environments
        self._approvals = approvals
        self._in_use = in_use
        self._rules_of = rules_of
        self._requirements_of = requirements_of
        self._keeps_unused = keeps_unused

    def refresh(self, project: str) -> None:
        """See what is new in a Code Repo on another machine."""
        self._repos.refresh(self._rules_of(project).repo)

    def sync(self, projects: Sequence[str], *, dry_run: bool = False) -> list[SyncedProject]:
        """Bring each project in step; what is wrong with one is told in its row, and stops no other."""
        return [self._one(project, dry_run=dry_run) for project in projects]

    def collect_environments(self, projects: Sequence[str]) -> list[str]:
        """Remove environments that no kept code revision of any of the node's projects locks."""
        with self._governance.transaction() as work:
            kept: set[str | None] = set()
            for project in projects:
                # Held until the end: what is approved meanwhile is built after that, and is not lost.
                work.code_revisions.lock(project)
                revisions = work.code_revisions.of_project(project)
                left = revisions if self._keeps_unused(project) else self._kept(project, revisions)
                kept.update(each.environment_digest for each in left)
            return self._environments.keep_only(frozenset(found for found in kept if found is not None))

    def _one(self, project: str, *, dry_run: bool) -> SyncedProject:
        try:
            with self._governance.transaction() as work:
                revision = work.code_revisions.approved(project)
                if revision is not None:
                    self._approvals.check(work, revision)
            found = self._bring(project, revision, dry_run=dry_run)
            if found.changes and not dry_run:
                # On record first: whatever breaks this off, nothing was moved or removed without an entry.
                self._record(found)
                if found.pointer == MOVED:
                    self._mount.point(project, found.digest)
                self._collect(project, dry_run=False)
        except PhemsError as error:
            return SyncedProject(project, error=str(error))
        return found

    def _bring(self, project: str, revision: CodeRevision | None, *, dry_run: bool) -> SyncedProject:
        digest = revision.digest if revision is not None else None
        moves = self._mount.current(project) != digest
        code = environment = "none"
        if revision is not None:
            code = self._fetch(revision, dry_run=dry_run)
            environment = self._build(revision, fetched=code != "would fetch", dry_run=dry_run)
        return SyncedProject(
            project,
            commit=revision.commit if revision else None,
            digest=digest,
            environment_digest=revision.environment_digest if revision else None,
            code=code,
            environment=environment,
            pointer=("would move" if dry_run else MOVED) if moves else "unchanged",
            removed=self._collect(project, dry_run=True),
        )

    def _collect(self, project: str, *, dry_run: bool) -> tuple[str, ...]:
        with self._governance.transaction() as work:
            # An approval on its way has put its code there, and holds this until it is on record.
            work.code_revisions.lock(project)
            kept = {each.digest for each in self._kept(project, work.code_revisions.of_project(project))}
            return tuple(self._mount.keep_only(project, frozenset(kept), dry_run=dry_run))

    def _kept(self, project: str, revisions: Sequence[CodeRevision]) -> list[CodeRevision]:
        return stood_on(revisions, self._in_use.commits(project))

    def _fetch(self, revision: CodeRevision, *, dry_run: bool) -> str:
        if self._mount.path(revision.project, revision.digest).exists():
            self._mount.verify(revision.project, revision.digest)
            return "present"
        if dry_run:
            return "would fetch"
        rules = self._rules_of(revision.project)
        self._repos.refresh(rules.repo)
        # Again: that it is on the project's branch still. A branch that was forced elsewhere has left it.
        self._repos.commit(rules.repo, rules.branch, revision.commit)
        with self._repos.files(rules.repo, revision.commit) as files:
            self._mount.publish(revision.project, revision.digest, files)
        return "fetched"

    def _build(self, revision: CodeRevision, *, fetched: bool, dry_run: bool) -> str:
        requirements = self._requirements_of(revision.project)
        if requirements is None:
            return "none"
        code_dir = self._mount.path(revision.project, revision.digest)
        if dry_run:
            is_there = fetched and self._environments.is_built(code_dir, requirements)
            return "present" if is_there else "would build"
        return "built" if self._environments.build(code_dir, requirements) else "present"

    def _record(self, found: SyncedProject) -> None:
        details = {
            "digest": found.digest,
            "environment_digest": found.environment_digest,
            "code": found.code,
            "environment": found.environment,
            "pointer": found.pointer,
            "removed": list(found.removed),
        }
        with self._governance.transaction() as work:
            work.audit.append(
                NODE, "code.sync", found.commit or found.project, project=found.project, details=details
            )


def raise_for(rows: Sequence[SyncedProject]) -> None:
    """Raise `IntegrityError` when a project could not be brought in step: whoever waits for it must know."""
    failed = [row for row in rows if row.error]
    if failed:
        raise IntegrityError(
            f"{len(failed)} of {len(rows)} projects could not be brought in step.",
            why="; ".join(f"{row.project}: {row.error}" for row in failed),
            remedy="Mend what is said of each; the other projects are in step. Then: phems code sync",
        )
