"""Whether a run may start: the rules in the order in which they are asked, over what is known of the run.

Pure, so that a decision can be taken again later from what was kept of it (`phems audit replay`). Whether
signatures verified is an input: it is found by the use case, and kept as found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from phems.domain.canonical import sha256
from phems.domain.code_revisions import CodeRevisionState
from phems.errors import RefusedError

# Runs of a replaced revision that were asked for before it was replaced still run it.
RUNNABLE = frozenset({CodeRevisionState.APPROVED, CodeRevisionState.REPLACED})


@dataclass(frozen=True, kw_only=True)
class AdmissionInputs:
    """What is known of a run that is to start. `revision_state` is None when its code is on no record.

    `changed_parts` are the parts of its capsule that are others than when it was first admitted.
    """

    run_id: str
    project: str
    job: str
    is_resume: bool
    is_as_asked: bool
    revision_state: CodeRevisionState | None
    needed_sources: tuple[str, ...]
    is_isolating: bool
    day: date
    was_admitted: bool
    changed_parts: tuple[str, ...] = ()
    code_problem: RefusedError | None = None
    """Why the approvals of the code do not count today, once their signatures were verified."""
    capsule_problem: RefusedError | None = None
    """Why the capsule is not approved, where the policy asks for that."""
    revision_name: str = field(default="", compare=False)
    revision_reason: str = field(default="", compare=False)
    sandbox: str = field(default="", compare=False)

    def as_json(self, rules: AdmissionRules) -> dict[str, Any]:
        """What is kept in the audit entry: enough to decide again, no text of project code.

        A data source that is not granted has a name that project code has made up, for all that is known: it
        is kept as its digest, which is not granted either.
        """
        return {
            "is_resume": self.is_resume,
            "is_as_asked": self.is_as_asked,
            "revision_state": self.revision_state.value if self.revision_state else None,
            "needed_sources": [
                name if name in rules.grants else f"sha256:{sha256(name.encode())}"
                for name in self.needed_sources
            ],
            "is_isolating": self.is_isolating,
            "day": self.day.isoformat(),
            "was_admitted": self.was_admitted,
            "changed_parts": list(self.changed_parts),
            "approvals_count": self.code_problem is None,
            "capsule_is_approved": self.capsule_problem is None,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], *, run_id: str, project: str) -> AdmissionInputs:
        """The inputs of an audit entry."""
        state = kept["revision_state"]
        return cls(
            run_id=run_id,
            project=project,
            job="",
            is_resume=kept["is_resume"],
            is_as_asked=kept["is_as_asked"],
            revision_state=CodeRevisionState(state) if state else None,
            needed_sources=tuple(kept["needed_sources"]),
            is_isolating=kept["is_isolating"],
            day=date.fromisoformat(kept["day"]),
            was_admitted=kept["was_admitted"],
            changed_parts=tuple(kept["changed_parts"]),
            code_problem=None if kept["approvals_count"] else _AS_KEPT,
            capsule_problem=None if kept["capsule_is_approved"] else _AS_KEPT,
        )


_AS_KEPT = RefusedError("As it was found at the time.")


@dataclass(frozen=True)
class AdmissionRules:
    """What a project is held to when a run of it is to start. `grants` has the last day of each, or None."""

    grants: Mapping[str, date | None]
    needs_sandbox: bool
    needs_capsule_approval: bool = False

    @classmethod
    def of_content(cls, content: Mapping[str, Any]) -> AdmissionRules:
        """The rules in the content of a policy version."""
        return cls(
            {
                source: date.fromisoformat(last) if last else None
                for source, last in content["data_grants"].items()
            },
            needs_sandbox=content["policy"]["sandbox"] == "required",
            needs_capsule_approval=content["policy"].get("approve") == "capsule",
        )

    def granted(self, day: date) -> frozenset[str]:
        """The data sources that may be read on a day."""
        return frozenset(name for name, last in self.grants.items() if last is None or day <= last)


@dataclass(frozen=True)
class Rule:
    """One question: `code` names it in the audit log, `refusal` answers with the error, or None to go on."""

    code: str
    refusal: Callable[[AdmissionInputs, AdmissionRules], RefusedError | None]


@dataclass(frozen=True)
class Refusal:
    """The first rule that does not let the run start."""

    code: str
    error: RefusedError


def refused(inputs: AdmissionInputs, rules: AdmissionRules) -> Refusal | None:
    """The refusal of a run, None when it may start."""
    for rule in RULES:
        error = rule.refusal(inputs, rules)
        if error is not None:
            return Refusal(rule.code, error)
    return None


def _as_asked(inputs: AdmissionInputs, rules: AdmissionRules) -> RefusedError | None:  # noqa: ARG001
    if inputs.is_as_asked:
        return None
    return RefusedError(
        f"Run {inputs.run_id} is not the run that was asked for.",
        why="Its job, plan, configuration, selection or tags were changed after it was submitted.",
        remedy=_launch(inputs),
    )


def _code(inputs: AdmissionInputs, rules: AdmissionRules) -> RefusedError | None:  # noqa: ARG001
    if inputs.revision_state in RUNNABLE:
        return None
    if inputs.revision_state is None:
        return RefusedError(
            f"Project {inputs.project} has no approved code revision with the digest {inputs.revision_name}.",
            why="What would run is not what was approved.",
            remedy=f"phems code submit --project {inputs.project}, and have it approved: phems code approve",
        )
    return RefusedError(
        f"The code revision {inputs.revision_name} is {inputs.revision_state}.",
        why=inputs.revision_reason or "Only approved code runs.",
        remedy=f"Submit another: phems code submit --project {inputs.project}",
    )


def _sandbox(inputs: AdmissionInputs, rules: AdmissionRules) -> RefusedError | None:
    if inputs.is_isolating or not rules.needs_sandbox:
        return None
    return RefusedError(
        f"The policy of project {inputs.project} requires a sandbox, and there is none.",
        why=inputs.sandbox,
        remedy="apt-get install bubblewrap, then start the node again.",
    )


def _grants(inputs: AdmissionInputs, rules: AdmissionRules) -> RefusedError | None:
    granted = rules.granted(inputs.day)
    missing = [name for name in inputs.needed_sources if name not in granted]
    if not missing:
        return None
    return RefusedError(
        f"Project {inputs.project} has no grant for the data source {', '.join(missing)}.",
        why="The run declares that it reads it, and no grant in force covers it today.",
        remedy=f"Ask an Information Asset Owner to add it to projects.{inputs.project}.data_grants "
        "in node.yaml; then: phems check",
        logged=f"Project {inputs.project} has no grant for {len(missing)} of the data sources it declares.",
    )


def _once(inputs: AdmissionInputs, rules: AdmissionRules) -> RefusedError | None:  # noqa: ARG001
    if inputs.is_resume or not inputs.was_admitted:
        return None
    return RefusedError(
        f"Run {inputs.run_id} has been started before.",
        why="A run starts once; its row was put back into the queue.",
        remedy=f"Launch it anew: {_launch(inputs)}",
    )


def _unchanged(inputs: AdmissionInputs, rules: AdmissionRules) -> RefusedError | None:  # noqa: ARG001
    # Another policy version alone does not end a run: the rules of that version have just let it pass.
    changed = [part for part in inputs.changed_parts if part != "policy_version"]
    if not changed:
        return None
    return RefusedError(
        f"Run {inputs.run_id} may not go on: it is no longer the run that was admitted.",
        why=f"Its capsule has changed since, in: {', '.join(changed)}.",
        remedy=f"Launch it anew: {_launch(inputs)}",
    )


def _code_approvals(inputs: AdmissionInputs, rules: AdmissionRules) -> RefusedError | None:  # noqa: ARG001
    return inputs.code_problem


def _capsule(inputs: AdmissionInputs, rules: AdmissionRules) -> RefusedError | None:
    return inputs.capsule_problem if rules.needs_capsule_approval else None


def _launch(inputs: AdmissionInputs) -> str:
    return f"phems run launch {inputs.project} {inputs.job}".rstrip()


RULES: Sequence[Rule] = (
    Rule("as_asked", _as_asked),
    Rule("code", _code),
    Rule("sandbox", _sandbox),
    Rule("grants", _grants),
    Rule("once", _once),
    Rule("unchanged", _unchanged),
    Rule("code_approvals", _code_approvals),
    Rule("capsule", _capsule),
)
