"""The admission use case as the engine asks it: Dagster's run rows become plain facts, and back."""

from __future__ import annotations

from collections.abc import Mapping

from phems.domain.canonical import canonical
from phems.domain.capsules import RunFacts, shown
from phems.engine._dagster import PARENT_RUN_ID_TAG, DagsterRun
from phems.engine.admission_point import Submission
from phems.engine.orchestrator import Admitted
from phems.engine.stored_names import PARTITION_TAG
from phems.engine.tags import (
    APPROVAL_TAG,
    CAPSULE_TAG,
    CODE_TAG,
    PROJECT_TAG,
    REQUESTER_TAG,
    RESERVED_PREFIXES,
    SANDBOX_TAG,
)
from phems.services.admission import Admission, Sandboxing, Submitted, actor_of

_RANGE = "dagster/asset_partition_range_"
# Tags of Dagster's own, which say how a run came about, and those of the node.
_NOT_THE_MAKERS = ("dagster/", ".dagster/", *RESERVED_PREFIXES)


class ServiceDesk:
    """`AdmissionDesk` over the use case. `code_digest(project)` is what its loaded location runs."""

    def __init__(self, admission: Admission, sandboxing: Sandboxing, priorities: Mapping[str, int]) -> None:
        self._admission = admission
        self._sandboxing = sandboxing
        self._priorities = priorities

    def submit(self, submission: Submission) -> Mapping[str, str]:
        """Record a submission; gives the stamps."""
        submitted = self._admission.submit(
            actor_of(submission.requester),
            facts_of(submission.run, submission.project),
            code_digest=submission.code_digest,
            needed_sources=submission.needed_sources,
        )
        return {
            PROJECT_TAG: submission.project,
            REQUESTER_TAG: submission.requester,
            CODE_TAG: submitted.commit[:12],
            CAPSULE_TAG: shown(submitted.capsule),
            APPROVAL_TAG: _said(submitted),
            # Always: a re-execution comes with the stamps of its parent.
            SANDBOX_TAG: "isolating" if self._sandboxing.is_isolating else "none",
        }

    def admit(self, run: DagsterRun, *, is_resume: bool) -> Admitted:
        """Let a run start, or raise why not."""
        project = run.remote_job_origin.location_name if run.remote_job_origin else ""
        admission = self._admission.admit(facts_of(run, project), is_resume=is_resume)
        return Admitted(
            run.run_id,
            project,
            admission.code_digest,
            self._priorities.get(project, 0),
            tags=self._corrections(run, {CAPSULE_TAG: shown(admission.capsule)}),
            data=admission.data,
        )

    @staticmethod
    def _corrections(run: DagsterRun, tags: Mapping[str, str]) -> dict[str, str]:
        # Stamped when the run was asked for. Data or rules may have changed while it waited, which is seldom:
        # then alone the run row is written once more.
        return {name: value for name, value in tags.items() if run.tags.get(name) != value}


def _said(submitted: Submitted) -> str:
    """Who approved what will run: its code, and, where a policy asks for that, the run itself."""
    code = ", ".join(submitted.code_approvers)
    return f"code: {code}; run: {submitted.run_approver}" if submitted.run_approver else f"code: {code}"


def facts_of(run: DagsterRun, project: str) -> RunFacts:
    """What a run row says, in plain types and one order."""
    selection = [f"op:{name}" for name in run.resolved_op_selection or ()]
    selection += [f"asset:{key.to_user_string()}" for key in run.asset_selection or ()]
    selection += [
        f"check:{key.asset_key.to_user_string()}:{key.name}" for key in run.asset_check_selection or ()
    ]
    selection += [f"step:{key}" for key in run.step_keys_to_execute or ()]
    return RunFacts(
        run_id=run.run_id,
        project=project,
        job=run.job_name,
        plan_id=run.execution_plan_snapshot_id or "",
        run_config=canonical(run.run_config).decode(),
        selection=tuple(sorted(selection)),
        partition=_partition(run.tags),
        parent_run_id=run.tags.get(PARENT_RUN_ID_TAG),
        tags={name: value for name, value in run.tags.items() if not name.startswith(_NOT_THE_MAKERS)},
    )


def _partition(tags: Mapping[str, str]) -> str | None:
    # One run of a backfill may stand for a range; a partition of several dimensions has a tag for each.
    first, last = tags.get(f"{_RANGE}start"), tags.get(f"{_RANGE}end")
    return f"{first}...{last}" if first is not None and last is not None else tags.get(PARTITION_TAG)
