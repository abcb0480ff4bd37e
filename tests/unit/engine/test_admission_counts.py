"""Each word of admission is counted where a run starts: many refusals are seen, whoever asks for the runs."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from phems.engine._dagster import DagsterRun
from phems.engine.admission_point import AdmittingRunLauncher, Submission
from phems.engine.counts import EngineCounts
from phems.engine.orchestrator import Admitted
from phems.errors import RefusedError


@dg.op
def nothing() -> None:
    """Nothing."""


@dg.job
def small() -> None:
    nothing()


class Desk:
    """Lets pass what goes on, and refuses what starts."""

    def submit(self, submission: Submission) -> Mapping[str, str]:
        raise RefusedError("No.")

    def admit(self, run: DagsterRun, *, is_resume: bool) -> Admitted:
        if not is_resume:
            raise RefusedError("No.")
        return Admitted(run.run_id, "heart", "digest")


def test_a_refused_start_and_an_admitted_resume_are_told_apart() -> None:
    counts = EngineCounts(["heart"])
    driven: list[Admitted] = []
    launcher = AdmittingRunLauncher(Desk(), driven.append, lambda *_: None, lambda _run: False, counts)
    with dg.DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        launcher.take_up(instance.create_run_for_job(small))
        launcher._admit(instance.create_run_for_job(small), is_resume=False)
    assert len(driven) == 1
    found = {labels: count for labels, count in counts.admissions.read().items() if count}
    assert found == {("resume", "admitted"): 1, ("launch", "refused"): 1}
    assert ("submit", "refused") in counts.admissions.read()
