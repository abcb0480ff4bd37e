"""The spans that who drives a run tells of its attempts."""

from __future__ import annotations

from phems.domain.traces import RunTrace, Span
from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StepTask
from phems.engine.traces import AttemptSpans, TracedStarter

RUN = "0d4f6f3e-5c1d-4d0c-9f7c-1f5c1a5b2c3d"


class Told:
    """Takes spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def ended(self, span: Span) -> None:
        self.spans.append(span)


def test_an_attempt_ends_once() -> None:
    """One that is lost ends in a failure that its driver writes itself: two spans of one id are none."""
    told = Told()
    spans = AttemptSpans(RunTrace(RUN), "heart", told)
    spans.published("model[CANARY]", 1)
    for result in ("lost", "failure"):
        spans.ended("model[CANARY]", 1, result)  # type: ignore[arg-type]
    spans.ended("adopted", 3, "success")
    assert [(span.attributes["phems.step"], span.attributes["phems.result"]) for span in told.spans] == [
        ("model", "lost"),
        ("adopted", "success"),
    ]
    assert [span.is_error for span in told.spans] == [True, False]
    assert told.spans[0].parent == told.spans[1].parent == RunTrace(RUN).run
    assert all(span.began <= span.ended for span in told.spans)


class Waits:
    """A starter whose host is not ready yet."""

    def expect(self, task: StepTask, run: str, known_state: str) -> None:
        """Nothing."""

    def start(self, task: StepTask, on_end: object) -> bool:
        return False

    def kill_run(self, run_id: str) -> None:
        """Nothing."""


def test_an_attempt_that_never_starts_is_forgotten_with_its_run() -> None:
    """Or a worker of years keeps each that was cancelled while it waited."""
    told = Told()
    starter = TracedStarter(Waits(), told)
    starter._trace_of = lambda _run: RunTrace(RUN)  # type: ignore[assignment]
    task = StepTask("heart", "digest", RUN, "model", 1)
    starter.expect(task, "", "")
    assert not starter.start(task, lambda _end: None)
    starter.kill_run(RUN)
    assert (starter._expected, told.spans) == ({}, [])


def test_what_had_no_process_has_no_span_of_one() -> None:
    told = Told()

    class Refuses(Waits):
        def start(self, task: StepTask, on_end: object) -> bool:
            assert callable(on_end)
            on_end(StepEnd("heart", RUN, "model", 1, status=1, is_lost=False, note="No room."))
            return True

    starter = TracedStarter(Refuses(), told)
    starter._trace_of = lambda _run: RunTrace(RUN)  # type: ignore[assignment]
    task = StepTask("heart", "digest", RUN, "model", 1)
    starter.expect(task, "", "")
    starter.start(task, lambda _end: None)
    assert [(span.kind, span.is_error) for span in told.spans] == [("step in worker", True)]
