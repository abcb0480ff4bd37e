"""Whether a step finds the data that its run was admitted with, with data that a test plays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from phems.domain.capsules import GrantedData
from phems.engine.run_data import REFUSALS_KEPT, Data, RunData, Shown, ShownFile
from phems.engine.step_queue import StepTask
from phems.errors import RefusedError, UnavailableError

SECONDS = 10.0


def said(version: str) -> Data:
    return {"wards": GrantedData("csv:wards.csv", version)}


def task(run_id: str = "run", step: str = "step") -> StepTask:
    return StepTask("p", "digest", run_id, step, 1)


@dataclass
class Played:
    """A file that holds `content`, and says so once it was read."""

    content: str = "one"
    is_known: bool = True
    trouble: Exception | None = None
    readings: int = 0
    go: threading.Event = field(default_factory=threading.Event)

    def shown(self, _project: str) -> Shown:
        return {"wards": ShownFile("csv:wards.csv", Path("wards.csv"), (1, 1))}

    def known(self, _shown: Shown) -> Data | None:
        return said(self.content) if self.is_known else None

    def read(self, _shown: Shown) -> Data:
        self.readings += 1
        assert self.go.wait(SECONDS)
        if self.trouble is not None:
            raise self.trouble
        return said(self.content)


@dataclass
class Stage:
    played: Played
    data: RunData
    told: threading.Event

    def look(self, run_id: str = "run", step: str = "step") -> bool:
        return self.data.is_as_admitted(task(run_id, step), self.data.shown("p"))

    def read(self) -> None:
        self.played.go.set()
        assert self.told.wait(SECONDS)


@pytest.fixture
def stage() -> Iterator[Stage]:
    played, told = Played(), threading.Event()
    data = RunData(
        played,
        lambda run_id: None if run_id == "nobody's" else said("one"),
        lambda project: told.set() if project == "p" else None,
    )
    yield Stage(played, data, told)
    played.go.set()


def test_a_step_whose_data_is_known_waits_for_nothing(stage: Stage) -> None:
    """Otherwise each step pays for what a stat can tell."""
    assert stage.look()
    assert stage.played.readings == 0


def test_a_file_is_read_beside_and_once_for_all_steps_of_a_run(stage: Stage) -> None:
    """Otherwise every run of the node stands still while one large file is read."""
    stage.played.is_known = False
    assert not stage.look()
    assert not stage.look(step="another")
    stage.read()
    assert stage.played.readings == 1
    stage.played.is_known = True
    assert stage.look()


def test_a_run_whose_data_was_other_once_starts_no_step_any_more(stage: Stage) -> None:
    """Otherwise a file that changes all the time holds a run for ever, and is never found out."""
    stage.played.is_known, stage.played.content = False, "two"
    assert not stage.look()
    stage.read()
    stage.played.is_known, stage.played.content = True, "one"
    with pytest.raises(RefusedError, match="replaced or changed") as refused:
        stage.look()
    assert "Launch the job again." in str(refused.value)
    assert stage.look("another run")


def test_what_is_known_to_be_other_is_refused_at_once(stage: Stage) -> None:
    """Otherwise a step reads bytes that its run's capsule does not name."""
    stage.played.content = "two"
    with pytest.raises(RefusedError, match="The step was not started"):
        stage.look()


def test_a_file_that_cannot_be_read_ends_the_wait(stage: Stage) -> None:
    """Otherwise a run waits for ever, and nobody learns for what."""
    stage.played.is_known, stage.played.trouble = False, UnavailableError("It has no version.")
    assert not stage.look()
    stage.read()
    with pytest.raises(RefusedError, match="It has no version"):
        stage.look()


def test_a_run_without_an_admission_starts_no_step(stage: Stage) -> None:
    """Otherwise a step that nothing is known of reads whatever there is."""
    with pytest.raises(RefusedError, match="No admission"):
        stage.look("nobody's")


def test_no_more_refusals_are_kept_than_may_be(stage: Stage) -> None:
    """Otherwise a node that serves for months remembers every run that was refused."""
    for number in range(REFUSALS_KEPT + 1):
        stage.data._refuse(f"run {number}", RefusedError("No."))
    assert stage.look("run 0")
    with pytest.raises(RefusedError):
        stage.look("run 1")


def test_a_change_in_place_is_found_and_a_replacement_is_none(stage: Stage) -> None:
    """Otherwise nobody learns that a step read a file while it was written, or is told so in vain."""
    (now,) = stage.data.shown("p").values()
    assert stage.data.changed_since("p", {"wards": now}) == []
    assert stage.data.changed_since("p", {}) == []
    assert stage.data.changed_since("p", {"wards": replace(now, identity=(1, 1, 99))}) == ["wards"]
    assert stage.data.changed_since("p", {"wards": replace(now, identity=(1, 2, 99))}) == []
