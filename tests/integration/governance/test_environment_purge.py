"""Unpacked packages go when no code that may run locks them and no kept run has used them; no others do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.integration.governance.governed_site import ANA, IDA, OTHER, PROJECT, CodeRepo, Site

from phems.adapters.environments.built import BuiltEnvironments
from phems.adapters.environments.wheels import WheelSources
from phems.domain.actors import LOCAL_OPERATOR
from phems.domain.code_revisions import CodeRevision, CodeRevisionState
from phems.domain.retention import EndedRun, Hold
from phems.services.environment_purges import EnvironmentPurges
from phems.services.ports.runs import RunAdmission

DAYS = 30
BOTH = (PROJECT, OTHER)


@dataclass
class Engine:
    """The runs that the engine knows, and what those on their way stand on."""

    ended: list[EndedRun] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def runs(self, project: str) -> Sequence[EndedRun]:
        return self.ended if project == PROJECT else []

    def commits(self, _project: str) -> frozenset[str]:
        return frozenset(self.used)

    @contextmanager
    def held(self) -> Iterator[None]:
        yield


@dataclass
class Housekeeping:
    """The use case over a site; three revisions were approved one after the other, each with its packages."""

    site: Site
    repo: CodeRepo
    engine: Engine = field(default_factory=Engine)
    days: dict[str, int] = field(default_factory=lambda: {PROJECT: DAYS})
    revisions: list[CodeRevision] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.environments = BuiltEnvironments(self.site.folder / "environments", WheelSources)
        engine: Any = self.engine
        self.purges = EnvironmentPurges(
            self.site.governance,
            self.environments,
            engine,
            engine,
            days_of=self.days.get,
            clock=self.site.clock,
        )
        for number in range(3):
            commit = self.repo.commit({"uv.lock": f"packages {number}\n"})
            self.site.code.submit(ANA, PROJECT, commit)
            self.revisions.append(self.site.code.approve(IDA, PROJECT, commit))
            folder = self.site.folder / "environments" / self.digest(number) / "build" / "packages"
            folder.mkdir(parents=True)
            (folder / "study.py").write_text("VERSION = 1\n")

    def digest(self, number: int) -> str:
        found = self.revisions[number].environment_digest
        assert found is not None
        return found

    def ran(self, number: int, run_id: str, ended_at: datetime | None, *holds: Hold) -> None:
        """A run of a revision."""
        code = self.revisions[number].digest
        self.site.launched(run_id, "ana", code)
        with self.site.governance.transaction() as work:
            work.runs.add_admission(RunAdmission(run_id, PROJECT, code, "a" * 64, self.site.clock.now()))
        self.engine.ended.append(EndedRun(run_id=run_id, ended_at=ended_at, holds=frozenset(holds)))

    def planned(self) -> set[str]:
        return {digest for part in self.purges.plan(BOTH) for digest in part.environments}


@pytest.fixture
def house(site: Site, repo: CodeRepo) -> Housekeeping:
    return Housekeeping(site, repo)


def test_the_one_that_nobody_goes_back_to_is_purged_as_the_dry_run_said(
    house: Housekeeping, site: Site
) -> None:
    """Disks fill up with packages; what is loaded, and what one may go back to, must stay."""
    assert house.purges.plan(BOTH) == [], "it was used a moment ago"
    site.clock.pass_time(timedelta(days=DAYS, hours=1))
    planned = house.purges.plan(BOTH)
    [part] = planned
    assert (part.project, part.days, part.environments) == (PROJECT, DAYS, (house.digest(0),))
    assert (part.items, part.bytes) == (1, len("VERSION = 1\n"))
    assert house.purges.purge(LOCAL_OPERATOR, BOTH) == planned
    assert set(house.environments.sizes()) == {house.digest(1), house.digest(2)}
    assert house.purges.purge(LOCAL_OPERATOR, BOTH) == []
    [entry] = site.entries("project.purge")
    assert entry.details["environments"] == [house.digest(0)]
    assert entry.details["area"] == "environments"


def test_runs_that_are_kept_keep_their_packages(house: Housekeeping, site: Site) -> None:
    """A run that still goes on, or is to be explained or gone on from, stands on them."""
    site.clock.pass_time(timedelta(days=DAYS * 3))
    assert house.planned() == {house.digest(0)}
    long_ago = site.clock.now() - timedelta(days=DAYS * 2)
    house.ran(0, "old", long_ago)
    assert house.planned() == {house.digest(0)}
    for run_id, ended_at, holds in (
        ("on-its-way", None, ()),
        ("of-late", site.clock.now(), ()),
        ("gone-on-from", long_ago, (Hold.RERUN,)),
    ):
        house.ran(0, run_id, ended_at, *holds)
        assert house.planned() == set(), run_id
        house.engine.ended.pop()
    house.engine.used.add(house.revisions[0].commit[:12])
    assert house.planned() == set(), "a run that was not let through yet"


def test_what_has_no_rule_is_kept_and_each_project_has_its_say(house: Housekeeping, site: Site) -> None:
    """Two projects may lock the same packages, and one of them keep them for ever."""
    site.clock.pass_time(timedelta(days=DAYS * 3))
    with site.governance.transaction() as work:
        first = house.revisions[0]
        fields = {name: getattr(first, name) for name in first.__dataclass_fields__}
        work.code_revisions.save(
            CodeRevision(**{**fields, "project": OTHER, "state": CodeRevisionState.REVOKED})
        )
    assert house.planned() == set()
    house.days[OTHER] = DAYS
    parts = house.purges.plan(BOTH, only=OTHER)
    assert [part.project for part in parts] == sorted(BOTH), "it goes for both, and is told of both"
    house.days.clear()
    assert house.planned() == set()
