"""Admission: whether a run may be asked for, and whether it may start.

Every way to start a run ends here (see `engine.admission_point`). A refusal names what is missing and
the command that asks for it, and is audited; a run that is let through has its audit entry in the same
transaction as its admission.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from phems.domain.actors import Actor
from phems.domain.capsules import RunFacts, capsule
from phems.domain.code_revisions import CodeRevision, CodeRevisionState
from phems.errors import RefusedError
from phems.services.code_approvals import CodeApprovals
from phems.services.ports import Governance, Transaction
from phems.services.ports.clock import Clock
from phems.services.ports.runs import RunAdmission, RunSubmission


@dataclass(frozen=True)
class Grant:
    """A project's right to read one data source; `place` names the source's format and path."""

    source: str
    place: str
    expires: date | None = None


@dataclass(frozen=True)
class ProjectRules:
    """What admission asks of the node spec about one project."""

    grants: Mapping[str, Grant]
    needs_sandbox: bool


@dataclass(frozen=True)
class Sandboxing:
    """What runs project code on this machine."""

    is_isolating: bool
    description: str


class Admission:
    """The use case. `rules(project)` raises `NotFoundError` for a project that the node does not have."""

    def __init__(
        self,
        governance: Governance,
        clock: Clock,
        rules: Callable[[str], ProjectRules],
        sandboxing: Sandboxing,
        approvals: CodeApprovals,
    ) -> None:
        self._governance = governance
        self._clock = clock
        self._rules = rules
        self._sandboxing = sandboxing
        self._approvals = approvals

    def submit(
        self, actor: Actor, facts: RunFacts, *, code_digest: str, needed_sources: frozenset[str]
    ) -> CodeRevision:
        """Record that a run was asked for; gives the code revision that it will run."""
        with self._governance.transaction() as tx:
            revision = _revision(tx, facts.project, code_digest)
            tx.runs.add_submission(
                RunSubmission(
                    run_id=facts.run_id,
                    project=facts.project,
                    requester=actor.name,
                    code_digest=code_digest,
                    fingerprint=facts.fingerprint(),
                    needed_sources=tuple(sorted(needed_sources)),
                    at=self._clock.now(),
                )
            )
        return revision

    def admit(self, facts: RunFacts, *, is_resume: bool) -> RunAdmission:
        """Let a run start; raises `RefusedError`, audited, with what is missing and how to ask for it."""
        try:
            with self._governance.transaction() as tx:
                return self._admit(tx, facts, is_resume=is_resume)
        except RefusedError as error:
            self._record_refusal(facts, error)
            raise

    def _admit(self, tx: Transaction, facts: RunFacts, *, is_resume: bool) -> RunAdmission:
        submission = tx.runs.submission(facts.run_id)
        if submission is None:
            raise RefusedError(
                f"Run {facts.run_id} was not asked for through the node.",
                why="No submission of it is on record.",
                remedy=f"phems run launch {facts.project} {facts.job}",
            )
        if submission.fingerprint != facts.fingerprint():
            raise RefusedError(
                f"Run {facts.run_id} is not the run that was asked for.",
                why="Its job, plan, configuration or selection was changed after it was submitted.",
                remedy=f"phems run launch {facts.project} {facts.job}",
            )
        rules = self._rules(facts.project)
        revision = _revision(tx, facts.project, submission.code_digest)
        self._approvals.check(tx, revision)
        self._check_sandbox(facts, rules)
        self._check_grants(facts, rules, submission.needed_sources)
        grants = {name: grant.place for name, grant in rules.grants.items() if self._is_current(grant)}
        admission = RunAdmission(
            run_id=facts.run_id,
            project=facts.project,
            code_digest=submission.code_digest,
            capsule=capsule(facts, code_digest=submission.code_digest, grants=grants),
            at=self._clock.now(),
        )
        earlier = tx.runs.admission(facts.run_id)
        if earlier is not None and not is_resume:
            raise RefusedError(
                f"Run {facts.run_id} has been started before.",
                why="A run starts once; its row was put back into the queue.",
                remedy=f"Launch it anew: phems run launch {facts.project} {facts.job}",
            )
        if earlier is not None and earlier.capsule != admission.capsule:
            raise RefusedError(
                f"Run {facts.run_id} may not go on: it is no longer the run that was admitted.",
                why="Its data grants have changed since.",
                remedy=f"Launch it anew: phems run launch {facts.project} {facts.job}",
            )
        tx.runs.add_admission(admission)
        tx.audit.append(
            actor_of(submission.requester),
            "run.resume" if is_resume else "run.admit",
            facts.run_id,
            project=facts.project,
            details={
                "job": facts.job,
                "capsule": admission.capsule,
                "commit": revision.commit,
                "code_digest": submission.code_digest,
                "grants": sorted(grants),
                "sandbox": self._sandboxing.description,
            },
        )
        return admission

    def _check_sandbox(self, facts: RunFacts, rules: ProjectRules) -> None:
        if rules.needs_sandbox and not self._sandboxing.is_isolating:
            raise RefusedError(
                f"The policy of project {facts.project} requires a sandbox, and there is none.",
                why=self._sandboxing.description,
                remedy="apt-get install bubblewrap, then start the node again.",
            )

    def _check_grants(self, facts: RunFacts, rules: ProjectRules, needed: tuple[str, ...]) -> None:
        missing = [name for name in needed if not self._has_grant(rules, name)]
        if missing:
            names = ", ".join(missing)
            raise RefusedError(
                f"Project {facts.project} has no grant for the data source {names}.",
                why="The run declares that it reads it, and no grant in node.yaml covers it today.",
                remedy=f"Ask an Information Asset Owner to add it to projects.{facts.project}.data_grants "
                "in node.yaml; then: phems check",
            )

    def _has_grant(self, rules: ProjectRules, name: str) -> bool:
        grant = rules.grants.get(name)
        return grant is not None and self._is_current(grant)

    def _is_current(self, grant: Grant) -> bool:
        return grant.expires is None or self._clock.now().date() <= grant.expires

    def _record_refusal(self, facts: RunFacts, error: RefusedError) -> None:
        with self._governance.transaction() as tx:
            submission = tx.runs.submission(facts.run_id)
            name = submission.requester if submission else "unknown"
            tx.audit.append(
                actor_of(name),
                "run.admit",
                facts.run_id,
                project=facts.project,
                result="refused",
                details={"job": facts.job, "reason": error.what},
            )


# Runs of a replaced revision that were asked for before it was replaced still run it.
_RUNNABLE = frozenset({CodeRevisionState.APPROVED, CodeRevisionState.REPLACED})


def _revision(tx: Transaction, project: str, code_digest: str) -> CodeRevision:
    revisions = [r for r in tx.code_revisions.of_project(project) if r.digest == code_digest]
    runnable = [r for r in revisions if r.state in _RUNNABLE]
    if runnable:
        return runnable[0]
    if revisions:
        revision = revisions[0]
        raise RefusedError(
            f"The code revision {revision.name} is {revision.state}.",
            why=revision.reason or "Only approved code runs.",
            remedy=f"Submit another: phems code submit --project {project}",
        )
    raise RefusedError(
        f"Project {project} has no approved code revision with the digest {code_digest[:12]}.",
        why="What would run is not what was approved.",
        remedy=f"phems code submit --project {project}, and have it approved: phems code approve",
    )


def actor_of(requester: str) -> Actor:
    """Who asked for a run, by the name on its stamp: `system:daemon`, `schedule:nightly`, or a person's."""
    is_system = ":" in requester or requester == "unknown"
    return Actor(requester, "system" if is_system else "person")
