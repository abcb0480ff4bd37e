"""The orchestrator's thread outlives what goes wrong in any one run, and in the storage below it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.plan.objects import StepSuccessData
from dagster._core.execution.plan.outputs import StepOutputData, StepOutputHandle
from tests.unit.engine.idle_steps import IdleSteps

from phems.engine import orchestrator as module
from phems.engine._dagster import DagsterEvent, DagsterRunStatus
from phems.engine.host_connection import StepEnd
from phems.engine.orchestrator import Admitted, Orchestrator
from phems.engine.step_queue import StepTask

SECONDS = 10.0


@dg.op
def first() -> int:
    return 1


@dg.op
def second(x: int) -> int:
    return x


@dg.job(logger_defs={})
def two_steps() -> None:
    second(first())


class AwayError(Exception):
    """What a storage raises that cannot be reached."""


@dataclass
class Stage(IdleSteps):
    """An orchestrator over a real instance, with a queue that keeps what it is given."""

    instance: dg.DagsterInstance
    tasks: list[StepTask] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.orchestrator = Orchestrator(self.instance, self, self.end)

    def publish(self, task: StepTask, run: Any, known_state: Any) -> None:
        self.note(lambda: self.tasks.append(task))

    def cancel_run(self, run_id: str) -> list[StepTask]:
        taken = [task for task in self.tasks if task.run_id == run_id]
        self.tasks = [task for task in self.tasks if task.run_id != run_id]
        return taken

    def kill_run(self, run_id: str) -> None:
        self.note(lambda: self.killed.append(run_id))

    def end(self, run_id: str) -> None:
        self.note(lambda: self.ended.append(run_id))

    def note(self, act: Callable[[], None]) -> None:
        with self.changed:
            act()
            self.changed.notify_all()

    def until(self, look: Callable[[], Any]) -> None:
        with self.changed:
            assert self.changed.wait_for(look, SECONDS)

    def run(self) -> str:
        return self.instance.create_run_for_job(two_steps, status=DagsterRunStatus.STARTING).run_id

    def admit(self, run_id: str) -> None:
        self.orchestrator.admit(Admitted(run_id, "p", "digest"))

    def task_of(self, run_id: str, step: str) -> StepTask:
        self.until(lambda: any((t.run_id, t.step_key) == (run_id, step) for t in self.tasks))
        return next(t for t in self.tasks if (t.run_id, t.step_key) == (run_id, step))

    def finish(self, task: StepTask) -> None:
        self.tasks.remove(task)
        output = StepOutputData(StepOutputHandle(task.step_key, "result"))
        for kind, data in (
            ("STEP_START", None),
            ("STEP_OUTPUT", output),
            ("STEP_SUCCESS", StepSuccessData(duration_ms=1.0)),
        ):
            event = DagsterEvent(kind, "two_steps", step_key=task.step_key, event_specific_data=data)
            self.instance.report_dagster_event(event, task.run_id)
        self.orchestrator.attempt_ended(
            StepEnd(task.project, task.run_id, task.step_key, task.attempt, 0, is_lost=False)
        )

    def status(self, run_id: str) -> DagsterRunStatus:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(module, "LATER_SECONDS", 0.01)
    with dg.DagsterInstance.ephemeral() as instance:
        made = Stage(instance)
        yield made
        made.orchestrator.stop()


def finish_run(stage: Stage, run_id: str) -> None:
    for step in ("first", "second"):
        stage.finish(stage.task_of(run_id, step))
    stage.until(lambda: run_id in stage.ended)
    assert stage.status(run_id) is DagsterRunStatus.SUCCESS


def test_a_run_without_a_plan_fails_and_the_others_go_on(stage: Stage) -> None:
    """Otherwise one broken row stands in the way of every run."""
    broken = stage.instance.add_run(
        dg.DagsterRun(
            job_name="gone", run_id=dg._core.utils.make_new_run_id(), status=DagsterRunStatus.STARTING
        )
    ).run_id
    sound = stage.run()
    stage.admit(broken)
    stage.admit(sound)
    stage.orchestrator.start()
    finish_run(stage, sound)
    stage.until(lambda: broken in stage.ended)
    assert stage.status(broken) is DagsterRunStatus.FAILURE
    assert not stage.orchestrator.drives(broken)
    assert not stage.orchestrator.drives(sound)


def test_a_cancellation_that_overtakes_the_beginning_is_heeded(stage: Stage) -> None:
    """Otherwise a run that a person cancels in its first moment runs on as `canceled`."""
    run_id = stage.run()
    stage.admit(run_id)
    assert stage.orchestrator.drives(run_id)
    run = stage.instance.get_run_by_id(run_id)
    assert run is not None
    stage.instance.report_run_canceling(run)
    stage.orchestrator.cancel(run_id, "Cancelled by ana.")
    stage.orchestrator.start()
    stage.until(lambda: run_id in stage.ended)
    assert stage.status(run_id) is DagsterRunStatus.CANCELED
    assert stage.tasks == []


def test_runs_outlive_a_storage_that_is_away_for_a_while(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a restart of Postgres leaves every run at `started` until the node is restarted too."""
    run_id = stage.run()
    stage.admit(run_id)
    stage.orchestrator.start()
    task = stage.task_of(run_id, "first")
    tries = threading.Semaphore(0)

    def away(*_args: Any, **_kwargs: Any) -> None:
        tries.release()
        raise AwayError

    with monkeypatch.context() as outage:
        for name in ("get_run_by_id", "report_dagster_event"):
            outage.setattr(stage.instance, name, away)
        outage.setattr(stage.instance.event_log_storage, "get_records_for_run", away)
        stage.orchestrator.attempt_ended(StepEnd("p", run_id, "first", task.attempt, status=1, is_lost=False))
        for _ in range(module.MAX_TROUBLES + 3):
            assert tries.acquire(timeout=SECONDS)
    finish_run(stage, run_id)


def test_one_mishap_of_the_storage_costs_a_run_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a connection that breaks once fails a run of hours."""
    run_id = stage.run()
    stage.admit(run_id)
    stage.orchestrator.start()
    stage.finish(stage.task_of(run_id, "first"))
    stage.task_of(run_id, "second")
    real, failed = stage.instance.event_log_storage.get_records_for_run, threading.Event()

    def once(*args: Any, **kwargs: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise AwayError
        return real(*args, **kwargs)

    monkeypatch.setattr(stage.instance.event_log_storage, "get_records_for_run", once)
    stage.orchestrator.events_written(run_id)
    assert failed.wait(SECONDS)
    stage.until(lambda: stage.killed)
    stage.finish(stage.task_of(run_id, "second"))
    stage.until(lambda: run_id in stage.ended)
    assert stage.status(run_id) is DagsterRunStatus.SUCCESS
    events = [entry.dagster_event for entry in stage.instance.all_logs(run_id)]
    assert [e.step_key for e in events if e and e.is_step_success] == ["first", "second"]
