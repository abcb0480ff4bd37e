"""Who looks after the leases: workers that fall silent, messages that are gone, ends that nobody heard."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from phems.engine import lease_watch
from phems.engine.host_connection import StepEnd
from phems.engine.lease_watch import LeaseWatch, WatchParts
from phems.engine.step_queue import LastAttempt, StepTask, WorkerBeat, WorkerFacts

LATER = lease_watch.LOST_SECONDS + 0.1
TASK = StepTask("p", "digest", "run", "step", 1)


def lost(task: StepTask) -> StepEnd:
    return StepEnd(task.project, task.run_id, task.step_key, task.attempt, -9, is_lost=True)


@dataclass
class Scene:
    """Leases as the watch finds them, and what it does about them."""

    beats: dict[str, int] = field(default_factory=dict)
    held: dict[str, list[StepTask]] = field(default_factory=dict)
    waiting_tasks: list[StepTask] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)
    late: list[StepEnd] = field(default_factory=list)
    now: float = 1000.0
    is_away: bool = False
    read: int = 0
    ends: list[StepEnd] = field(default_factory=list)
    sent: list[StepTask] = field(default_factory=list)

    def __post_init__(self) -> None:
        parts = WatchParts(
            self, lambda _projects: self.lengths, self.sent.append, lambda: ["run"], self.ends.append
        )
        self.watch = LeaseWatch(parts, lambda: self.now)

    def look(self, after: float = 0.0) -> None:
        self.now += after
        self.watch.look()

    def workers(self) -> Sequence[WorkerBeat]:
        if self.is_away:
            raise ConnectionError
        return [
            WorkerBeat(WorkerFacts(name, "default", "p", "host", 1, 4), count, len(self.held.get(name, [])))
            for name, count in self.beats.items()
        ]

    def lose(self, worker_id: str) -> list[StepEnd]:
        del self.beats[worker_id]
        return [lost(task) for task in self.held.pop(worker_id, [])]

    def waiting(self, project: str, older_than_seconds: float) -> Sequence[StepTask]:
        self.read += 1
        return self.waiting_tasks

    def count_waiting(self, older_than_seconds: float) -> Mapping[str, int]:
        return {"p": len(self.waiting_tasks)} if self.waiting_tasks else {}

    def ended(self, run_ids: Collection[str], within_seconds: float) -> Sequence[StepEnd]:
        return [end for end in self.late if end.run_id in run_ids]

    # The rest of the port: the watch has no use for it.
    def offer(self, task: StepTask, known_state: str) -> None:
        raise AssertionError

    def take_back(self, run_id: str) -> list[StepTask]:
        raise AssertionError

    def attempts_of(self, run_id: str) -> Mapping[str, LastAttempt]:
        raise AssertionError

    def forget(self, run_ids: Collection[str]) -> None:
        raise AssertionError

    def keep_only(self, run_ids: Collection[str]) -> None:
        raise AssertionError

    def depths(self) -> Mapping[str, tuple[int, int]]:
        raise AssertionError

    def lag(self) -> Mapping[str, float]:
        raise AssertionError


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_worker_that_falls_silent_is_lost_with_its_steps(scene: Scene) -> None:
    """Otherwise a run waits for ever for a step whose machine is gone."""
    scene.beats, scene.held = {"silent": 5, "living": 5}, {"silent": [TASK]}
    scene.look()
    scene.beats["living"] = 6
    scene.look(after=LATER)
    assert scene.ends == [lost(TASK)]
    assert list(scene.beats) == ["living"]


def test_a_worker_that_beats_is_never_lost(scene: Scene) -> None:
    """Otherwise a step of many hours is started again and again."""
    scene.held = {"living": [TASK]}
    for count in range(20):
        scene.beats["living"] = count
        scene.look(after=lease_watch.LOST_SECONDS / 2)
    assert scene.ends == []


def test_a_database_that_was_away_makes_no_worker_silent(scene: Scene) -> None:
    """Otherwise a restart of Postgres ends every step of the node."""
    scene.beats, scene.held = {"living": 5}, {"living": [TASK]}
    scene.look()
    scene.is_away = True
    scene.look(after=LATER)
    scene.is_away = False
    scene.look(after=LATER)  # it had no chance to beat meanwhile
    assert scene.ends == []
    scene.beats["living"] = 6
    scene.look(after=LATER)
    assert scene.ends == []


def test_messages_that_are_gone_are_sent_again(scene: Scene) -> None:
    """Otherwise a queue that was purged by hand takes its runs with it."""
    scene.waiting_tasks, scene.lengths = [TASK], {"p": 0}
    scene.look()
    assert scene.sent == [TASK]


def test_a_message_is_sent_again_now_and_then_and_not_at_every_look(scene: Scene) -> None:
    """Otherwise a slow worker finds its queue full of the same message."""
    scene.waiting_tasks, scene.lengths = [TASK], {"p": 0}
    for _ in range(5):
        scene.look(after=0.1)
    assert scene.sent == [TASK]
    scene.look(after=LATER)
    assert scene.sent == [TASK, TASK]


@pytest.mark.parametrize("lengths", [{"p": 1}, {"p": 7}, {}], ids=["waits", "more wait", "broker away"])
def test_nothing_is_sent_twice_without_need(scene: Scene, lengths: dict[str, int]) -> None:
    """Otherwise 10,000 steps in a queue become 20,000."""
    scene.waiting_tasks, scene.lengths = [TASK], lengths
    scene.look()
    assert (scene.sent, scene.read) == ([], 0), (
        "who only waits is not read, once a second, ten thousand times"
    )


def test_no_more_is_sent_again_than_is_missing(scene: Scene) -> None:
    """Otherwise the few that a busy worker holds have the whole queue sent again, which makes it busier."""
    scene.waiting_tasks = [StepTask("p", "digest", "run", f"step{number}", 1) for number in range(43)]
    scene.lengths = {"p": 39}
    scene.look()
    assert scene.sent == scene.waiting_tasks[:4]


def test_an_end_that_nobody_heard_of_is_told(scene: Scene) -> None:
    """Otherwise a notification that is lost with its connection stops a run."""
    end = StepEnd("p", "run", "step", 1, 1, is_lost=False)
    scene.late = [end, StepEnd("p", "another run", "step", 1, 1, is_lost=False)]
    scene.look()
    assert scene.ends == [end]
