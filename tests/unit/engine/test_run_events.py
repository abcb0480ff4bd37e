"""A step whose process ended without a word fails with what is known, in words that help."""

from __future__ import annotations

import signal

import dagster as dg
import pytest
from tests.unit.engine.idle_steps import IdleSteps

from phems.engine.host_connection import StepEnd
from phems.engine.run_driver import DriverParts, RunDriver


@dg.op
def dies() -> None:
    """Only its name matters."""


@dg.job(logger_defs={})
def dying() -> None:
    dies()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"status": 3}, "exit code 3"),
        ({"status": 0}, "exit code 0 and did not say"),
        ({"status": -signal.SIGKILL}, "SIGKILL. It was killed, perhaps for its use of memory"),
        ({"status": -signal.SIGXCPU}, "resources.cpu_seconds"),
        ({"status": -signal.SIGXFSZ}, "resources.file_size"),
        ({"status": -signal.SIGSEGV}, "SIGSEGV"),
        ({"status": -40}, "signal 40"),
        ({"status": 1, "note": "The step could not be started. No such module."}, "No such module"),
    ],
)
def test_the_reason_is_in_the_run_s_log(how: dict[str, object], words: str) -> None:
    """Otherwise an author is left with a red step and nothing to look for."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(dying)
        driver = RunDriver(DriverParts(instance, IdleSteps()), run, "p", "digest")
        driver.begin()
        driver.advance()
        driver.attempt_ended(StepEnd("p", run.run_id, "dies", 1, is_lost=False, **how))  # type: ignore[arg-type]
        driver.advance()
        ended = instance.get_run_by_id(run.run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.FAILURE
        failures = [e.dagster_event for e in instance.all_logs(run.run_id) if e.dagster_event]
        (failure,) = [e for e in failures if e.is_step_failure]
        assert words in str(failure.message)
        assert failure.step_failure_data.error is not None
        assert words in failure.step_failure_data.error.message


def test_a_step_that_lost_its_host_twice_says_so() -> None:
    """Otherwise it looks like a mistake of the author's."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(dying)
        driver = RunDriver(DriverParts(instance, IdleSteps()), run, "p", "digest")
        driver.begin()
        driver.advance()
        for attempt in (1, 2):
            assert not driver.is_done
            driver.attempt_ended(StepEnd("p", run.run_id, "dies", attempt, -9, is_lost=True))
        driver.advance()
        log = [entry.message for entry in instance.all_logs(run.run_id)]
        assert any("lost under it; the step is started again" in line for line in log)
        assert any("lost under it more than once" in line for line in log)
