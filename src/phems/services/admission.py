"""Admission: whether a run may be asked for, and whether it may start.

Every way to start a run ends here (see `engine.admission_point`). A refusal names what is missing and
the command that asks for it, and is audited; a run that is let through has its audit entry in the same
transaction as its admission and its capsule.

Each of the two takes one transaction. What the files of data sources hold is known before it begins: they
are hashed when they have changed, not when a run wants them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from phems.domain.actors import Actor
from phems.domain.admission import AdmissionInputs, Refusal, refused
from phems.domain.canonical import digest
from phems.domain.capsules import (
    CodeFacts,
    GrantedData,
    RunFacts,
    capsule_document,
    differences,
    granted_data,
)
from phems.domain.code_revisions import CodeRevision
from phems.errors import RefusedError, UnavailableError
from phems.services.capsules import Capsules
from phems.services.ports import Governance, Transaction
from phems.services.ports.clock import Clock
from phems.services.ports.data_versions import DataVersions
from phems.services.ports.runs import CapsuleDocument, RunAdmission, RunCase, RunSubmission
from phems.services.run_projects import RunProject, RunProjects

READ_AGAIN = 3
Data = Mapping[str, GrantedData]
Outcome = tuple[RunAdmission | None, RefusedError | None]
T = TypeVar("T")


@dataclass(frozen=True)
class Sandboxing:
    """What runs project code on this machine."""

    is_isolating: bool
    description: str


@dataclass(frozen=True)
class Submitted:
    """What a run that was asked for would be, as of now, and who had to approve it: its code, and itself."""

    commit: str
    capsule: str
    code_approvers: tuple[str, ...] = ()
    run_approver: str | None = None


@dataclass(frozen=True)
class _Decision:
    """A run with what its decision rests on; `refusal` is None when it may start."""

    project: RunProject
    requester: Actor
    capsule: CapsuleDocument
    inputs: AdmissionInputs
    refusal: Refusal | None
    code_approvers: tuple[str, ...] = ()


class Admission:
    """The use case. `check_code` raises `RefusedError` unless the approvals of a revision count today."""

    def __init__(
        self,
        governance: Governance,
        clock: Clock,
        projects: RunProjects,
        sandboxing: Sandboxing,
        data: DataVersions,
        capsules: Capsules,
        check_code: Callable[[Transaction, CodeRevision], None],
    ) -> None:
        self._governance = governance
        self._clock = clock
        self._projects = projects
        self._sandboxing = sandboxing
        self._data = data
        self._capsules = capsules
        self._check_code = check_code

    def submit(
        self, actor: Actor, facts: RunFacts, *, code_digest: str, needed_sources: frozenset[str]
    ) -> Submitted:
        """Record that a run was asked for; gives the commit and the capsule that it will run.

        Raises `RefusedError` for code that is not approved, and for a capsule that needs an approval: then
        the capsule is kept, for people to decide on.
        """
        asked = RunSubmission(
            run_id=facts.run_id,
            project=facts.project,
            requester=actor.name,
            code_digest=code_digest,
            fingerprint=facts.fingerprint(),
            needed_sources=tuple(sorted(needed_sources)),
            at=self._clock.now(),
        )

        def act(work: Transaction, project: RunProject, data: Data) -> tuple[Submitted, _Decision] | None:
            commit, label = work.runs.code_of(facts.project, code_digest)
            if label != project.policy_version:
                return None
            decision = self._decide(
                work, facts, RunCase(asked, None, commit, label), project, data, is_asking=True
            )
            if not _ends_at_the_door(decision):
                work.runs.add_submission(replace(asked, capsule=decision.capsule.digest))
            elif decision.refusal and decision.refusal.code == "capsule":
                self._capsules.ask(work, decision.capsule, requester=actor)
            approval = work.capsules.get(decision.capsule.digest) if _needs_own_approval(decision) else None
            submitted = Submitted(
                commit or "",
                decision.capsule.digest,
                decision.code_approvers,
                approval.decided_by if approval else None,
            )
            return submitted, decision

        submitted, decision = self._under_the_rules_in_force(facts.project, act)
        if decision.refusal is not None and _ends_at_the_door(decision):
            raise decision.refusal.error
        return submitted

    def admit(self, facts: RunFacts, *, is_resume: bool) -> RunAdmission:
        """Let a run start; raises `RefusedError`, audited, with what is missing and how to ask for it."""

        def act(work: Transaction, project: RunProject, data: Data) -> Outcome | None:
            case = work.runs.case(facts.run_id)
            if case is None:
                return None, self._never_asked_for(work, facts)
            if case.policy_version != project.policy_version:
                return None
            decision = self._decide(work, facts, case, project, data, is_resume=is_resume)
            if decision.refusal is not None:
                return None, self._refuse(work, facts, decision, decision.refusal)
            return self._let_through(work, facts, case, decision), None

        admission, refusal = self._under_the_rules_in_force(facts.project, act)
        if refusal is not None or admission is None:
            raise refusal or RefusedError("The run was not let through.")
        return admission

    def _under_the_rules_in_force(
        self, name: str, act: Callable[[Transaction, RunProject, Data], T | None]
    ) -> T:
        """`act` in a transaction that sees the policy version of this process; it gives None when not so."""
        for attempt in range(READ_AGAIN):
            project = self._projects(name, read_again=attempt > 0)
            data = project.data(self._clock.now().date(), self._data)

            def under_them(work: Transaction, project: RunProject = project, data: Data = data) -> T | None:
                return act(work, project, data)

            done = self._governance.act(under_them)
            if done is not None:
                return done
        raise UnavailableError(
            f"The rules of {name} change faster than they can be read.", remedy="Launch the run again."
        )

    def _decide(
        self,
        work: Transaction,
        facts: RunFacts,
        case: RunCase,
        project: RunProject,
        data: Data,
        *,
        is_resume: bool = False,
        is_asking: bool = False,
    ) -> _Decision:
        asked, admitted, today = case.submission, case.admission, self._clock.now().date()
        revision = work.code_revisions.get(facts.project, case.commit) if case.commit else None
        capsule = _capsule(facts, asked, revision, project, data)
        changed: tuple[str, ...] = ()
        if admitted is not None and admitted.capsule != capsule.digest:
            earlier = work.runs.capsule(admitted.capsule)
            changed = differences(earlier.document if earlier else {}, capsule.document)
        inputs = AdmissionInputs(
            run_id=facts.run_id,
            project=facts.project,
            job=facts.job,
            is_resume=is_resume,
            is_as_asked=asked.fingerprint == facts.fingerprint(),
            revision_state=revision.state if revision else None,
            needed_sources=asked.needed_sources,
            is_isolating=self._sandboxing.is_isolating,
            day=today,
            was_admitted=admitted is not None,
            changed_parts=changed,
            revision_name=revision.name if revision else asked.code_digest[:12],
            revision_reason=revision.reason if revision else "",
            sandbox=self._sandboxing.description,
        )
        refusal = refused(inputs, project.rules)
        if refusal is None and revision is not None:
            # The dearer questions last: signatures, and an approval that is held for this run.
            used = admitted.capsule if admitted else capsule.digest
            if not is_asking:
                inputs = replace(inputs, code_problem=self._code_problem(work, revision))
            inputs = replace(inputs, capsule_problem=self._capsule_problem(work, asked, project, used))
            refusal = refused(inputs, project.rules)
        approvers = tuple(sorted(revision.approvers())) if revision else ()
        return _Decision(project, actor_of(asked.requester), capsule, inputs, refusal, approvers)

    def _code_problem(self, work: Transaction, revision: CodeRevision) -> RefusedError | None:
        try:
            self._check_code(work, revision)
        except RefusedError as error:
            return error
        return None

    def _capsule_problem(
        self, work: Transaction, asked: RunSubmission, project: RunProject, capsule: str
    ) -> RefusedError | None:
        if not project.rules.needs_capsule_approval:
            return None
        return self._capsules.problem(
            work, asked.project, capsule, requester=asked.requester, run_id=asked.run_id
        )

    def _let_through(
        self, work: Transaction, facts: RunFacts, case: RunCase, decision: _Decision
    ) -> RunAdmission:
        now = self._clock.now()
        admission = RunAdmission(
            run_id=facts.run_id,
            project=facts.project,
            code_digest=case.submission.code_digest,
            capsule=decision.capsule.digest,
            at=now,
            data=granted_data(decision.capsule.document),
        )
        work.runs.add_admission(admission, decision.capsule.document)
        if _needs_own_approval(decision) and case.admission is None:
            work.capsules.use(admission.capsule, facts.run_id, now)
        work.audit.append(
            decision.requester,
            "run.resume" if decision.inputs.is_resume else "run.admit",
            facts.run_id,
            project=facts.project,
            details={
                "capsule": admission.capsule,
                "commit": case.commit,
                "code_digest": admission.code_digest,
                "grants": sorted(decision.capsule.document["data"]),
                "sandbox": self._sandboxing.description,
                "policy_version": decision.project.policy_version,
                "inputs": decision.inputs.as_json(decision.project.rules),
            },
        )
        return admission

    def _refuse(
        self, work: Transaction, facts: RunFacts, decision: _Decision, refusal: Refusal
    ) -> RefusedError:
        if refusal.code == "capsule":
            self._capsules.ask(work, decision.capsule, requester=decision.requester)
        work.audit.append(
            decision.requester,
            "run.admit",
            facts.run_id,
            project=facts.project,
            result="refused",
            details={
                "capsule": decision.capsule.digest,
                "reason": refusal.error.logged or refusal.error.what,
                "rule": refusal.code,
                "policy_version": decision.project.policy_version,
                "inputs": decision.inputs.as_json(decision.project.rules),
            },
        )
        return refusal.error

    def _never_asked_for(self, work: Transaction, facts: RunFacts) -> RefusedError:
        error = RefusedError(
            f"Run {facts.run_id} was not asked for through the node.",
            why="No submission of it is on record.",
            remedy=f"phems run launch {facts.project} {facts.job}",
        )
        details = {"reason": error.what, "rule": "asked_for"}
        work.audit.append(
            actor_of("unknown"), "run.admit", facts.run_id, project=facts.project, result="refused",
            details=details,
        )  # fmt: skip
        return error


def _ends_at_the_door(decision: _Decision) -> bool:
    """Whether a run is refused when it is asked for already; other refusals come when its turn does."""
    return decision.refusal is not None and decision.refusal.code in {"code", "capsule"}


def _needs_own_approval(decision: _Decision) -> bool:
    return decision.project.rules.needs_capsule_approval


def _capsule(
    facts: RunFacts,
    asked: RunSubmission,
    revision: CodeRevision | None,
    project: RunProject,
    data: Data,
) -> CapsuleDocument:
    code = CodeFacts(
        digest=asked.code_digest,
        environment_digest=revision.environment_digest if revision else None,
        interpreter=project.interpreter,
        variables=project.variables,
    )
    document = capsule_document(facts, code, data, policy_version=project.policy_version)
    return CapsuleDocument(digest(document), facts.project, document)


def actor_of(requester: str) -> Actor:
    """Who asked for a run, by the name on its stamp: `system:daemon`, `schedule:nightly`, or a person's."""
    is_system = ":" in requester or requester == "unknown"
    return Actor(requester, "system" if is_system else "person")
