"""Lineage events come from what is committed: none is lost, none is kept twice, each place gets them all."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.integration.governance.governed_site import ANA, IDA, PROJECT, Site
from tests.integration.governance.released import FILES, released
from tests.openlineage_events import official

from phems.adapters.files.code_words import MountedCodeWords
from phems.domain.lineage_events import declared_in
from phems.domain.release_facts import NodeIdentity
from phems.domain.run_lineage import EngineAsset, EngineRunFacts
from phems.errors import IntegrityError, UnavailableError
from phems.services.lineage import Lineages
from phems.services.lineage_events import PAUSES, LineageKeeper, LineageSources, standings

BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)


@dataclass
class Engine:
    """An engine with these runs."""

    status: dict[str, str] = field(default_factory=dict)
    assets: tuple[EngineAsset, ...] = ()
    damaged: str = ""

    def statuses(self, run_ids: Collection[str]) -> dict[str, str]:
        return {name: self.status[name] for name in run_ids if name in self.status}

    def facts(self, run_id: str) -> EngineRunFacts | None:
        if run_id == self.damaged:
            raise IntegrityError("The run capsule is not what its digest names.", why="it was changed.")
        return EngineRunFacts(
            run_id=run_id,
            project=PROJECT,
            job="analysis",
            status=self.status[run_id],
            created_at=BEGAN,
            started_at=BEGAN,
            ended_at=BEGAN,
            assets=self.assets,
        )

    def planned(self, names: Collection[str]) -> frozenset[str]:
        return frozenset(name for name in names if name.startswith("heart_attack/"))


@dataclass
class Place:
    """Takes events; fails while `failing`, and once more after it has taken some when `dies`."""

    failing: bool = False
    dies: bool = False
    at_once: int = 2
    taken: list[dict[str, Any]] = field(default_factory=list)

    def send(self, events: Sequence[bytes]) -> None:
        if self.failing:
            raise UnavailableError("Nobody is there.", why="it was stopped.")
        self.taken += [json.loads(event) for event in events]
        if self.dies:
            self.dies = False
            raise KeyboardInterrupt


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def keeper(site: Site, engine: Engine, place: Place) -> LineageKeeper:
    sources = LineageSources(
        engine=engine,
        code=MountedCodeWords(site.mount),
        node=NodeIdentity("node-a", "A Hospital", "0.1.0"),
        engine_version="1.13",
    )
    return LineageKeeper(site.governance, sources, {"place": place}, site.clock)


def kinds(place: Place) -> list[str]:
    return [each["eventType"] for each in place.taken]


def test_each_run_is_told_as_it_begins_and_ends_and_nothing_twice(
    site: Site, engine: Engine, place: Place, keeper: LineageKeeper
) -> None:
    """Whatever the moments at which the node looked, or was killed."""
    for name in ("run-1", "run-2", "run-3"):
        site.launched(name, "ana", "c" * 64)
    engine.status = {"run-1": "QUEUED", "run-2": "STARTED"}
    for _ in range(2):
        assert keeper.collect() is False
        assert keeper.deliver() is None
    assert kinds(place) == ["START"]
    engine.status |= {"run-1": "CANCELED", "run-2": "SUCCESS"}
    for _ in range(2):
        keeper.collect()
        keeper.deliver()
    assert sorted(kinds(place)) == ["ABORT", "COMPLETE", "START", "START"]
    for event in place.taken:
        official(event)
    with site.governance.transaction() as work:
        assert [run.run_id for run in work.lineage.untold()] == ["run-3"]


def test_a_run_whose_record_was_damaged_keeps_no_other_back(
    site: Site, engine: Engine, place: Place, keeper: LineageKeeper
) -> None:
    """Somebody who changed one row would otherwise end the lineage of the whole node."""
    for name in ("run-1", "run-2"):
        site.launched(name, "ana", "c" * 64)
        engine.status[name] = "SUCCESS"
    engine.damaged = "run-1"
    for _ in range(2):
        keeper.collect()
        keeper.deliver()
    assert kinds(place) == ["START", "COMPLETE"]
    assert keeper.warnings() == ["The lineage of run run-1 could not be told: see the node's log."]
    with site.governance.transaction() as work:
        assert [run.run_id for run in work.lineage.untold()] == ["run-1"]


def test_a_place_that_died_gets_the_same_again_and_then_the_rest(
    site: Site, engine: Engine, place: Place, keeper: LineageKeeper
) -> None:
    """Its cursor moves when it has taken them: none is lost, and what comes twice says the same twice."""
    for number in range(3):
        site.launched(f"run-{number}", "ana", "c" * 64)
        engine.status[f"run-{number}"] = "SUCCESS"
    keeper.collect()
    place.dies = True
    with pytest.raises(KeyboardInterrupt):
        keeper.deliver()
    keeper.deliver()
    assert len(place.taken) == 2 + 6
    assert place.taken[:2] == place.taken[2:4]
    assert len({json.dumps(each) for each in place.taken}) == 6


def test_a_place_that_is_away_is_tried_again_with_growing_pauses(
    site: Site, engine: Engine, place: Place, keeper: LineageKeeper
) -> None:
    """And its failure is told until it takes what waits."""
    site.launched("run-1", "ana", "c" * 64)
    engine.status["run-1"] = "FAILURE"
    keeper.collect()
    place.failing = True
    following = keeper.deliver()
    assert following is not None
    assert 0 < following <= PAUSES[0].total_seconds()
    [found] = standings(site.governance, ["place"])
    assert (found.waiting, found.failure) == (2, "Nobody is there. it was stopped.")
    assert keeper.warnings() == [
        "Lineage events wait, since the place took none: Nobody is there. it was stopped."
    ]
    place.failing = False
    keeper.deliver()
    assert place.taken == [], "it was not time yet"
    site.clock.pass_time(PAUSES[0])
    keeper.deliver()
    assert kinds(place) == ["START", "FAIL"]
    assert keeper.warnings() == []
    [found] = standings(site.governance, ["place"])
    assert (found.waiting, found.failure) == (0, "")


def test_a_release_and_its_revocation_are_told(
    site: Site, place: Place, keeper: LineageKeeper, run_of: Callable[..., str]
) -> None:
    """They are the end of the way that lineage shows."""
    name = released(site, run_of).name
    keeper.collect()
    site.releases.revoke(IDA, name, reason="A patient objected")
    site.publisher.publish_approved()
    for _ in range(2):
        keeper.collect()
        keeper.deliver()
    assert kinds(place) == ["START", "COMPLETE", "OTHER"]
    for event in place.taken:
        official(event)
    assert len(place.taken[1]["outputs"]) == len(FILES)
    assert place.taken[2]["run"]["facets"]["phems_release"]["state"] == "REVOKED"
    assert "objected" not in json.dumps(place.taken)


def test_declared_columns_are_shown_when_their_names_are_in_the_code(
    site: Site, engine: Engine, keeper: LineageKeeper
) -> None:
    """An analyst's colleague asks where a column comes from; a patient's name is no column."""
    revision = site.code.approve(IDA, PROJECT, site.code.submit(ANA, PROJECT).commit)
    site.launched("run-1", "ana", revision.digest)
    upstream = ("heart_attack/cohort", "defs")  # a word of the code, see the repo
    engine.status["run-1"] = "SUCCESS"
    engine.assets = (
        EngineAsset(
            name="heart_attack/table",
            step="make_table",
            sources={"defs": (upstream, ("elsewhere", "defs")), "Uma Patient": (upstream,)},
        ),
        EngineAsset(name="leaker/Uma Patient", step="make_table"),
    )
    keeper.collect()
    [run] = Lineages(site.governance, site.access).of(ANA, PROJECT, "run-1").runs
    [asset] = run.assets
    assert asset.columns == {"defs": ("heart_attack/cohort: defs",)}
    with site.governance.transaction() as work:
        last = work.lineage.last_of_run("run-1")
        assert last is not None
        assert declared_in(last) == run.assets
        told = "".join(document.decode() for _, document in work.lineage.after(0, limit=100))
    assert "Uma" not in told
