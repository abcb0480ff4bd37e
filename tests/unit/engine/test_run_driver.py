"""Random runs, driven by `RunDriver`, end as they do under stock Dagster: same steps, same ends, same status.

The driver is real, and so are Dagster's state machine and event log (in memory); the worker is played:
it writes the events that a step process would write. On the way steps are lost with their hosts, die
without a word, and the control process is restarted: none of that may change how the run ends.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest
from dagster._core.execution.plan.objects import StepRetryData, StepSuccessData
from dagster._core.execution.plan.outputs import StepOutputData, StepOutputHandle
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.engine.idle_steps import IdleSteps

from phems.engine import run_driver
from phems.engine._dagster import (
    ActiveExecution,
    DagsterEvent,
    DagsterRunStatus,
    SerializableErrorInfo,
    StepFailureData,
    deserialize_value,
)
from phems.engine.counts import EngineCounts
from phems.engine.host_connection import StepEnd
from phems.engine.run_driver import DriverParts, RunDriver
from phems.engine.step_queue import LastAttempt, StepTask

BEHAVIOURS = ("works", "works", "works", "fails", "gives nothing", "works later", "spreads")


@dataclass(frozen=True)
class Node:
    """One op of a random job: what it does, and the earlier ops that it reads."""

    behaviour: str
    reads: tuple[int, ...]


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 8))):
        # What spreads is read by what collects: a mapped op of its own would only add steps.
        reads = draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else []
        nodes.append(Node(draw(st.sampled_from(BEHAVIOURS)), tuple(sorted(reads))))
    return nodes


def job_of(nodes: list[Node]) -> dg.JobDefinition:
    """The job: op `n3` does what node 3 says; readers of a spreading op read its collected parts."""

    def op_of(number: int, node: Node) -> dg.OpDefinition:
        outs: dict[str, Any] = {
            "gives nothing": {"result": dg.Out(is_required=False)},
            "spreads": {"result": dg.DynamicOut()},
        }.get(node.behaviour, {"result": dg.Out()})

        def compute(context, _inputs):  # type: ignore[no-untyped-def]  # as Dagster asks of it
            if node.behaviour == "fails" or (node.behaviour == "works later" and context.retry_number == 0):
                raise ValueError("no good")
            if node.behaviour == "spreads":
                yield from (dg.DynamicOutput(n, str(n)) for n in range(2))
            elif node.behaviour != "gives nothing":
                yield dg.Output(number)

        return dg.OpDefinition(
            compute,
            name=f"n{number}",
            ins={f"in{read}": dg.In() for read in node.reads},
            outs=outs,
            retry_policy=dg.RetryPolicy(max_retries=1) if node.behaviour == "works later" else None,
        )

    @dg.job(
        resource_defs={"io_manager": dg.mem_io_manager},
        executor_def=dg.in_process_executor,
        logger_defs={"quiet": dg.LoggerDefinition(lambda _context: logging.getLogger("quiet"))},
    )
    def random_job() -> None:
        results: list[Any] = []
        for number, node in enumerate(nodes):
            inputs = {
                f"in{read}": results[read].collect() if nodes[read].behaviour == "spreads" else results[read]
                for read in node.reads
            }
            results.append(op_of(number, node)(**inputs))

    return random_job


Outcome = tuple[str, dict[str, str]]
_ENDS = {"STEP_SUCCESS": "success", "STEP_FAILURE": "failure", "STEP_SKIPPED": "skipped"}


def outcome(status: str, events: list[DagsterEvent]) -> Outcome:
    """How a run ended, and each of its steps."""
    return status, {str(e.step_key): _ENDS[e.event_type_value] for e in events if e.event_type_value in _ENDS}


def on_stock(job: dg.JobDefinition) -> Outcome:
    """How stock Dagster runs it, mended where it never ends: it skips before it gives up, and not again."""
    stock = ActiveExecution.plan_events_iterator

    def until_settled(active: ActiveExecution, context: Any) -> Iterator[DagsterEvent]:
        yield from stock(active, context)
        while active._pending_skip:
            yield from stock(active, context)

    with (
        dg.DagsterInstance.ephemeral() as instance,
        patch.object(ActiveExecution, "plan_events_iterator", until_settled),
    ):
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        return outcome("SUCCESS" if result.success else "FAILURE", list(result.all_events))


@dataclass
class PlayedNode(IdleSteps):
    """A run under way, with a worker that plays its steps in an order of its own."""

    nodes: list[Node]
    job: dg.JobDefinition
    instance: dg.DagsterInstance
    random: random.Random
    mishaps: bool
    queue: list[tuple[StepTask, Any]] = field(default_factory=list)
    finished: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)
    known: dict[str, LastAttempt] = field(default_factory=dict)
    """What the queue knows of the run's attempts, when it outlives the driver."""
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    """What happens while a driver that takes over asks for the attempts."""
    counts: EngineCounts = field(default_factory=lambda: EngineCounts(["p"]))

    def __post_init__(self) -> None:
        self.run = self.instance.create_run_for_job(self.job)
        self.driver = self.drive()

    def drive(self) -> RunDriver:
        parts = DriverParts(self.instance, self, self.counts)
        run = self.instance.get_run_by_id(self.run.run_id)
        assert run is not None
        driver = RunDriver(parts, run, "p", "digest")
        driver.begin()
        driver.advance()
        return driver

    def publish(self, task: StepTask, run: str, known_state: str) -> None:
        last = self.known.get(task.step_key)
        assert last is None or last.attempt < task.attempt, f"{task} was given before"
        self.known[task.step_key] = LastAttempt(task.attempt, is_open=True)
        self.queue.append((task, known_state))

    def attempts_of(self, run_id: str) -> Mapping[str, LastAttempt]:
        while self.meanwhile:
            self.meanwhile.pop()()
        return dict(self.known)

    def play(self) -> Outcome:
        for _ in range(400):
            if self.driver.is_done:
                run = self.instance.get_run_by_id(self.run.run_id)
                assert run is not None
                logged = (e.dagster_event for e in self.instance.all_logs(self.run.run_id))
                return outcome(run.status.value, [e for e in logged if e is not None])
            if self.mishaps and self.random.random() < 0.1:
                self.restart()
            elif self.queue:
                self.step(*self.queue.pop(self.random.randrange(len(self.queue))))
            else:
                assert self.driver.wake_at() is not None, "nothing runs, and nobody will look again"
            self.driver.advance()
        raise AssertionError("the run does not end")

    def restart(self) -> None:
        if self.random.random() < 0.5:
            # What was queued or running is gone with the control process and its hosts.
            self.queue.clear()
            self.known.clear()
        # Otherwise another control process leads: workers go on with what they have.
        self.driver = self.drive()

    def step(self, task: StepTask, state: Any) -> None:
        node = self.nodes[int(task.step_key[1:])]
        known = deserialize_value(state)
        given = [keys for outputs in known.dynamic_mappings.values() for keys in outputs.values() if keys]
        assert all(len(keys) == len(set(keys)) for keys in given), f"counted twice: {given}"
        retries = known.get_retry_state().get_attempt_count(task.step_key)
        self.write(task, "STEP_RESTARTED" if retries else "STEP_START")
        if self.mishaps and self.random.random() < 0.1:
            self.driver = self.drive()  # another leads while the step runs
        if self.mishaps and task.step_key not in self.lost and self.random.random() < 0.2:
            self.lost.add(task.step_key)
            if node.behaviour == "spreads":
                self.give(task, "0")
            self.end(task, is_lost=True)
            return
        if node.behaviour == "fails":
            # Either it says so, or it dies without a word.
            if self.random.random() < 0.5:
                self.write(task, "STEP_FAILURE", StepFailureData(None, None))  # type: ignore[no-untyped-call]
            self.end(task, status=1)
            return
        if node.behaviour == "works later" and retries == 0:
            self.write(task, "STEP_UP_FOR_RETRY", retry_at_once())
            self.end(task)
            return
        for mapping_key in {"spreads": ("0", "1"), "gives nothing": ()}.get(node.behaviour, (None,)):
            self.give(task, mapping_key)
        self.write(task, "STEP_SUCCESS", StepSuccessData(duration_ms=1.0))
        self.finished[task.step_key] += 1
        self.end(task)

    def give(self, task: StepTask, mapping_key: str | None) -> None:
        handle = StepOutputHandle(task.step_key, "result", mapping_key)
        self.write(task, "STEP_OUTPUT", StepOutputData(handle))

    def write(self, task: StepTask, kind: str, data: Any = None) -> None:
        event = DagsterEvent(kind, "random_job", step_key=task.step_key, event_specific_data=data)
        self.instance.report_dagster_event(event, task.run_id)

    def end(self, task: StepTask, *, status: int = 0, is_lost: bool = False) -> None:
        self.known[task.step_key] = LastAttempt(task.attempt, is_open=False)
        self.driver.attempt_ended(
            StepEnd(task.project, task.run_id, task.step_key, task.attempt, status, is_lost)
        )


def retry_at_once() -> Any:
    return retry_in(0)


def retry_in(seconds: float) -> Any:
    error = SerializableErrorInfo("not yet", [], "ValueError")
    return StepRetryData(error=error, seconds_to_wait=seconds)  # type: ignore[no-untyped-call]


@settings(max_examples=25, deadline=None)
@given(graphs(), st.integers(0, 2**32), st.booleans(), st.sampled_from([1, run_driver.AT_ONCE]))
def test_a_random_run_ends_as_under_stock_dagster(
    nodes: list[Node], seed: int, mishaps: bool, at_once: int
) -> None:
    """Otherwise some graph that nobody thought of hangs, or skips what must run."""
    job = job_of(nodes)
    with (
        patch.object(run_driver, "AT_ONCE", at_once),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        node = PlayedNode(nodes, job, instance, random.Random(seed), mishaps)  # noqa: S311
        assert node.play() == on_stock(job)
        assert max(node.finished.values(), default=1) == 1, "a finished step ran again"


def test_who_takes_over_does_not_count_what_a_lost_attempt_gave_while_the_next_waits_to_begin() -> None:
    """Otherwise every branch of a fan-out that a lost attempt had begun runs twice, or never is collected."""
    nodes = [Node("spreads", ()), Node("works", (0,))]
    job = job_of(nodes)
    with dg.DagsterInstance.ephemeral() as instance:
        node = PlayedNode(nodes, job, instance, random.Random(1), mishaps=False)  # noqa: S311
        task, _ = node.queue.pop()
        node.write(task, "STEP_START")
        node.give(task, "0")
        node.end(task, is_lost=True)
        node.driver.advance()
        node.driver = node.drive()
        assert node.play() == on_stock(job)


def test_a_step_is_skipped_when_the_last_that_it_waited_for_is_given_up() -> None:
    """Otherwise the run waits for ever: nothing of it runs, and nothing more will happen."""
    nodes = [Node("fails", ()), Node("gives nothing", ()), Node("works", (0,)), Node("works", (2, 1))]
    with dg.DagsterInstance.ephemeral() as instance:
        node = PlayedNode(nodes, job_of(nodes), instance, random.Random(1), mishaps=False)  # noqa: S311
        for task, state in sorted(node.queue, key=lambda queued: queued[0].step_key, reverse=True):
            node.step(task, state)
            node.driver.advance()
        assert node.driver.is_done


def test_a_wide_run_starts_its_steps_in_portions() -> None:
    """Otherwise every other run of the node stands still until the last of ten thousand is queued."""
    width = 2 * run_driver.AT_ONCE + 1
    with dg.DagsterInstance.ephemeral() as instance:
        nodes = [Node("works", ()) for _ in range(width)]
        node = PlayedNode(nodes, job_of(nodes), instance, random.Random(1), mishaps=False)  # noqa: S311
        portions = [len(node.queue)]
        while len(node.queue) < width:
            assert node.driver.wake_at() is not None, "nobody comes back for the rest"
            node.driver.advance()
            portions.append(len(node.queue))
        assert portions == [run_driver.AT_ONCE, 2 * run_driver.AT_ONCE, width]
        assert node.driver.wake_at() is None


def test_attempts_and_runs_are_counted_by_how_they_ended() -> None:
    """Otherwise hosts that die under their steps are seen by nobody: the steps come right the second time."""
    nodes = [Node("works", ()), Node("works later", ()), Node("fails", ()), Node("spreads", ())]
    with dg.DagsterInstance.ephemeral() as instance:
        node = PlayedNode(nodes, job_of(nodes), instance, random.Random(1), mishaps=False)  # noqa: S311
        lost, _ = next(queued for queued in node.queue if queued[0].step_key == "n3")
        node.queue = [queued for queued in node.queue if queued[0] is not lost]
        node.write(lost, "STEP_START")
        node.end(lost, is_lost=True)
        node.play()
        assert node.counts.attempts.read() == {
            ("p", "success"): 3,
            ("p", "retry"): 1,
            ("p", "failure"): 1,
            ("p", "lost"): 1,
        }
        assert node.counts.runs.read() == {("p", "success"): 0, ("p", "failure"): 1, ("p", "canceled"): 0}


@pytest.fixture
def diamond() -> Iterator[PlayedNode]:
    nodes = [Node("works", ()), Node("works", (0,)), Node("works", (0,)), Node("works", (1, 2))]
    with dg.DagsterInstance.ephemeral() as instance:
        yield PlayedNode(nodes, job_of(nodes), instance, random.Random(1), mishaps=False)  # noqa: S311


def test_a_step_that_is_told_twice_to_have_ended_counts_once(diamond: PlayedNode) -> None:
    """Otherwise a message that comes twice starts what follows twice."""
    task, state = diamond.queue.pop()
    diamond.step(task, state)
    diamond.end(task)
    diamond.end(task, status=1)
    diamond.driver.advance()
    assert sorted(queued.step_key for queued, _ in diamond.queue) == ["n1", "n2"]


def test_a_step_that_ends_while_another_takes_over_is_not_started_again(diamond: PlayedNode) -> None:
    """Otherwise what it does is done twice, whenever a leader is killed at that moment."""
    task, _ = diamond.queue.pop()
    diamond.write(task, "STEP_START")

    def ends() -> None:
        diamond.give(task, None)
        diamond.write(task, "STEP_SUCCESS", StepSuccessData(duration_ms=1.0))
        diamond.known[task.step_key] = LastAttempt(task.attempt, is_open=False)

    diamond.meanwhile.append(ends)
    diamond.driver = diamond.drive()
    assert sorted(queued.step_key for queued, _ in diamond.queue) == ["n1", "n2"]


@pytest.fixture
def patient() -> Iterator[PlayedNode]:
    """A step that is to be tried again in an hour, and one that comes after it."""
    with dg.DagsterInstance.ephemeral() as instance:
        nodes = [Node("works later", ()), Node("works", (0,))]
        node = PlayedNode(nodes, job_of(nodes), instance, random.Random(1), mishaps=False)  # noqa: S311
        task, _ = node.queue.pop()
        node.write(task, "STEP_START")
        node.write(task, "STEP_UP_FOR_RETRY", retry_in(3600))
        node.end(task)
        node.driver.advance()
        assert node.queue == []
        yield node


def again(node: PlayedNode, attempt: int) -> StepTask:
    """The next attempt of the step, as the queue knows it."""
    task = StepTask("p", "digest", node.run.run_id, "n0", attempt)
    node.known["n0"] = LastAttempt(attempt, is_open=True)
    return task


def succeeds(node: PlayedNode, task: StepTask) -> None:
    node.give(task, None)
    node.write(task, "STEP_SUCCESS", StepSuccessData(duration_ms=1.0))
    node.end(task)


@pytest.mark.parametrize("has_begun", [True, False])
def test_an_attempt_after_a_pause_is_taken_up_by_who_leads_next(patient: PlayedNode, has_begun: bool) -> None:
    """Otherwise it is done a second time when the pause has passed once more, or its end is not heard."""
    task = again(patient, 2)
    if has_begun:
        patient.write(task, "STEP_RESTARTED")
    patient.driver = patient.drive()
    assert patient.queue == []
    if not has_begun:
        patient.write(task, "STEP_RESTARTED")
    succeeds(patient, task)
    patient.driver.advance()
    assert [queued.step_key for queued, _ in patient.queue] == ["n1"]


def test_a_run_with_a_pause_behind_it_is_driven_on_by_who_leads_next(patient: PlayedNode) -> None:
    """Otherwise every run in which a step was tried again is given up when its leader goes."""
    task = again(patient, 2)
    patient.write(task, "STEP_RESTARTED")
    succeeds(patient, task)
    patient.driver = patient.drive()
    assert [queued.step_key for queued, _ in patient.queue] == ["n1"]
    patient.step(*patient.queue.pop())
    patient.driver.advance()
    assert patient.driver.is_done


def test_a_pause_that_is_not_over_is_kept_by_who_leads_next(patient: PlayedNode) -> None:
    """Otherwise what asked for an hour of peace has none, whenever a leader goes."""
    patient.driver = patient.drive()
    assert patient.queue == []
    at = patient.driver.wake_at()
    assert at is not None
    assert at > time.monotonic() + 3000


def test_an_attempt_that_asked_for_a_retry_as_its_leader_went_is_not_its_last() -> None:
    """Otherwise a step whose first attempt never began is failed in place of being tried again."""
    with dg.DagsterInstance.ephemeral() as instance:
        nodes = [Node("works later", ())]
        node = PlayedNode(nodes, job_of(nodes), instance, random.Random(1), mishaps=False)  # noqa: S311
        first, _ = node.queue.pop()
        node.end(first, is_lost=True)  # before it began: its number is in no event
        second, _ = node.queue.pop()
        node.write(second, "STEP_START")
        node.write(second, "STEP_UP_FOR_RETRY", retry_at_once())
        node.driver = node.drive()  # the second has not ended yet for all that is known
        node.end(second)
        node.driver.advance()
        ((third, state),) = node.queue
        assert third.attempt == 3
        node.queue.clear()
        node.step(third, state)
        node.driver.advance()
        assert node.driver.is_done
        run = instance.get_run_by_id(node.run.run_id)
        assert run is not None
        assert run.status is DagsterRunStatus.SUCCESS


def test_events_of_a_step_that_does_not_run_move_nothing(diamond: PlayedNode) -> None:
    """Otherwise a step that was given up comes back from the dead and starts others."""
    waiting = StepTask("p", "digest", diamond.run.run_id, "n3", 1)
    diamond.write(waiting, "STEP_SUCCESS", StepSuccessData(duration_ms=1.0))
    diamond.driver.advance()
    assert not diamond.driver.is_done
    assert [queued.step_key for queued, _ in diamond.queue] == ["n0"]


def test_a_stopped_run_ends_when_its_last_step_has_ended(diamond: PlayedNode) -> None:
    """Otherwise a cancelled run is over while its step still reads data."""
    diamond.step(*diamond.queue.pop())
    diamond.driver.advance()
    running, queued = diamond.queue
    diamond.driver.is_cancelling = True
    diamond.driver.stop("Cancelled by ana.")
    diamond.driver.take_back([queued[0]])
    diamond.driver.advance()
    assert not diamond.driver.is_done
    assert diamond.driver.wake_at() is not None
    diamond.end(running[0], status=-15)
    diamond.driver.advance()
    assert diamond.driver.is_done
    run = diamond.instance.get_run_by_id(diamond.run.run_id)
    assert run is not None
    assert run.status is DagsterRunStatus.CANCELED
    assert [task.step_key for task, _ in diamond.queue] == [running[0].step_key, queued[0].step_key]
