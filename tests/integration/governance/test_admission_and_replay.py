"""Admission over a real database, and past decisions taken again under the version that they name."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.governance.governed_site import ANA, CARA, CHRIS, IDA, PROJECT, CodeRepo, Site

from phems.adapters.data_versions import HashedDataVersions
from phems.adapters.postgres.database import Database
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.admission import AdmissionRules
from phems.domain.audit import Entry
from phems.domain.capsules import RunFacts
from phems.domain.permissions import Role
from phems.domain.votes import Vote
from phems.errors import InputError, IntegrityError, NotFoundError, RefusedError, UnavailableError
from phems.nodespec import NodeSpec
from phems.nodespec.governed import contents_of
from phems.services.admission import Admission, Sandboxing
from phems.services.capsules import Capsules
from phems.services.policies import Policies
from phems.services.release_files import Choice
from phems.services.releases import Case
from phems.services.replay import Replays
from phems.services.run_projects import RunProject, Source

UMA = Actor("uma")
SPEC: dict[str, Any] = {
    "version": 1,
    "node": {"name": "node-a"},
    "controller": {"name": "Hospital A"},
    "data_sources": {"patients": {"path": "patients.csv", "format": "csv"}},
    "projects": {
        PROJECT: {
            "code": {"repo": "code-repo"},
            "members": {
                "data_analyst": ["ana", "ben"],
                "output_checker": ["chris", "cara", "cleo"],
                "information_asset_owner": ["ida", "ivo"],
            },
            "data_grants": [{"source": "patients"}],
        }
    },
}
FACTS = RunFacts(
    run_id="run-1",
    project=PROJECT,
    job="survival",
    plan_id="plan-1",
    run_config="{}",
    selection=(),
)


class CountedVersions(HashedDataVersions):
    """Counts how often a file is read."""

    def __init__(self, memory: Path) -> None:
        super().__init__(memory)
        self.hashed = 0

    def _hash(self, file: Path) -> str:
        self.hashed += 1
        return super()._hash(file)


class Desk:
    """Admission at a site, wired as a node wires it."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        site.governance._clock = site.clock  # the moments of entries and of acts are compared
        self.patients = folder / "patients.csv"
        self.patients.write_text("patient,age\n1,77\n")
        os.utime(self.patients, (1, 1))
        self.declared = copy.deepcopy(SPEC)
        self.policies = Policies(site.governance, self.roles_in, site.signatures, site.clock)
        self.take_up()
        self.data = CountedVersions(folder / "versions.json")
        self.capsules = Capsules(site.governance, site.access, site.signatures, site.clock)
        self.read_again = 0
        self.label = self.policies.in_force()[PROJECT].label
        self.admission = Admission(
            site.governance,
            site.clock,
            self.project,
            Sandboxing(is_isolating=True, description="a sandbox"),
            self.data,
            self.capsules,
            site.approvals.check,
        )

    def roles_in(self, name: str, scope: str) -> frozenset[Role]:
        return self.site.people(name, scope or PROJECT)

    def take_up(self) -> None:
        self.policies.take_up(LOCAL_OPERATOR, contents_of(NodeSpec.model_validate(self.declared)))

    def project(self, _name: str, *, read_again: bool = False) -> RunProject:
        if read_again:
            self.read_again += 1
            self.label = self.policies.in_force()[PROJECT].label
        content = self.policies.in_force()[PROJECT].content
        return RunProject(
            self.label,
            AdmissionRules.of_content(content),
            {"patients": Source("csv:patients.csv", self.patients)},
        )

    def run(self, run_id: str = "run-1", *, sources: frozenset[str] = frozenset({"patients"})) -> str:
        """Ask for a run and admit it; gives its capsule."""
        facts = replace(FACTS, run_id=run_id)
        with self.site.governance.transaction() as work:
            approved = work.code_revisions.approved(PROJECT)
        digest = approved.digest if approved else "0" * 64
        self.admission.submit(ANA, facts, code_digest=digest, needed_sources=sources)
        return self.admission.admit(facts, is_resume=False).capsule


@pytest.fixture
def desk(site: Site, tmp_path: Path) -> Desk:
    """A project with approved code and granted data."""
    found = Desk(site, tmp_path)
    revision = site.code.submit(ANA, PROJECT)
    site.code.approve(IDA, PROJECT, revision.commit)
    return found


@pytest.fixture
def replay(desk: Desk) -> Callable[[Entry], Any]:
    """Takes the decision of an entry again."""
    replays = Replays(desk.site.governance)
    return lambda entry: replays.replay(UMA, entry.seq)


def last(desk: Desk, action: str) -> Entry:
    return desk.site.entries(action)[-1]


def test_an_admission_names_its_version_and_keeps_its_capsule_in_full(desk: Desk) -> None:
    """Otherwise a result can be traced to a number, and not to what ran."""
    capsule = desk.run()
    entry = last(desk, "run.admit")
    assert entry.details["policy_version"] == desk.label
    view = desk.capsules.show(ANA, PROJECT, capsule[:8])
    assert view.capsule == capsule == entry.details["capsule"]
    assert view.document["policy_version"] == desk.label
    assert view.document["environment"]["digest"]
    assert view.document["data"]["patients"]["version"].startswith("sha256:")
    assert view.commit == entry.details["commit"]


def test_a_file_is_hashed_when_it_changes_and_not_when_a_run_wants_it(desk: Desk, tmp_path: Path) -> None:
    """Otherwise a large file makes every run wait for minutes."""
    first = [desk.run(f"run-{number}") for number in range(5)]
    # The time of its last change of status is now: until that has settled, it is not remembered.
    assert len(set(first)) == 1
    before = desk.data.hashed
    again = CountedVersions(tmp_path / "versions.json")
    assert again.of(tmp_path / "no-such-file") is None
    assert again.of(tmp_path) is None
    desk.patients.write_text("patient,age\n1,78\n")
    assert desk.run("run-other") != first[0]
    assert desk.data.hashed > before


def test_rules_that_changed_in_the_database_are_read_before_a_run_is_let_in(desk: Desk) -> None:
    """Otherwise a run is admitted under the rules of yesterday, in the name of those of today."""
    desk.declared["projects"][PROJECT]["data_grants"] = []
    desk.take_up()
    with pytest.raises(RefusedError, match="no grant"):
        desk.run()
    assert desk.read_again >= 1
    assert last(desk, "run.admit").details["policy_version"] == desk.label
    assert desk.label.startswith("2:")


def test_rules_that_never_settle_let_nothing_in(desk: Desk) -> None:
    """Otherwise a run could be let in while nobody knows under which rules."""
    desk.label = "7:000000000000"
    keep = desk.project
    desk.admission._projects = lambda name, **_again: replace(keep(name), policy_version="7:0")  # type: ignore[assignment]
    with pytest.raises(UnavailableError, match="change faster"):
        desk.run()


def test_a_run_goes_on_under_other_rules_if_they_let_it_and_not_on_other_data(desk: Desk) -> None:
    """Otherwise a new checker ends every run in progress, or a run ends on other data than it began with."""
    desk.run()
    desk.declared["projects"][PROJECT]["members"]["data_analyst"] = ["ana"]
    desk.take_up()
    desk.admission.admit(FACTS, is_resume=True)
    resumed = last(desk, "run.resume")
    assert resumed.details["inputs"]["changed_parts"] == ["policy_version"]
    desk.patients.write_text("patient,age\n2,60\n")
    with pytest.raises(RefusedError, match="no longer the run") as refused:
        desk.admission.admit(FACTS, is_resume=True)
    assert "data" in refused.value.why


def test_admissions_are_decided_the_same_again(desk: Desk, replay: Callable[[Entry], Any]) -> None:
    """Otherwise nobody can show that a run was rightly let in, or rightly refused."""
    desk.run()
    admitted = replay(last(desk, "run.admit"))
    assert admitted.is_same
    assert admitted.recorded == "admitted"
    assert admitted.policy_version == desk.label
    with pytest.raises(RefusedError):
        desk.run("run-2", sources=frozenset({"patients", "weather"}))
    refused = replay(last(desk, "run.admit"))
    assert (refused.recorded, refused.is_same) == ("refused: grants", True)
    assert last(desk, "audit.replay").actor == "uma"


def test_an_admission_is_replayed_under_its_own_version_and_not_that_of_today(
    desk: Desk, replay: Callable[[Entry], Any]
) -> None:
    """Otherwise what was right then looks wrong now."""
    desk.run()
    entry = last(desk, "run.admit")
    desk.declared["projects"][PROJECT]["data_grants"] = []
    desk.take_up()
    assert replay(entry).is_same


def test_a_changed_capsule_is_found_by_a_replay(
    desk: Desk, database: Database, replay: Callable[[Entry], Any]
) -> None:
    """Otherwise what ran can be rewritten afterwards."""
    desk.run()
    with database.engine("admin").begin() as connection:
        connection.execute(
            text("UPDATE governance.capsules SET document = replace(document, 'survival', 'x')")
        )
    with pytest.raises(IntegrityError, match="not what its digest names"):
        replay(last(desk, "run.admit"))


def test_a_changed_admission_is_found_by_a_replay(
    desk: Desk, database: Database, replay: Callable[[Entry], Any]
) -> None:
    """Otherwise a run is made to look like another."""
    desk.run()
    other = desk.run("run-2")
    with database.engine("admin").begin() as connection:
        connection.execute(text("DELETE FROM governance.run_admissions WHERE run_id = 'run-2'"))
    assert other
    with pytest.raises(IntegrityError, match="not on record as it was admitted"):
        replay(last(desk, "run.admit"))


def test_code_approvals_are_decided_the_same_again(
    desk: Desk, repo: CodeRepo, replay: Callable[[Entry], Any]
) -> None:
    """Otherwise nobody can show that code was rightly approved."""
    entry = last(desk, "code.approve")
    found = replay(entry)
    assert (found.recorded, found.replayed) == ("APPROVED", "APPROVED")
    assert found.inputs["approvers"] == ["ida"]
    desk.declared["policies"] = {"default": {"approvals": 2}}
    desk.site.set_rules(approvals=2)
    desk.take_up()
    repo.commit({"src/heart_attack/definitions.py": "defs = 2\n"})
    commit = desk.site.code.submit(ANA, PROJECT).commit
    for owner in ("ida", "ivo"):
        desk.site.code.approve(Actor(owner), PROJECT, commit)
    two, three = desk.site.entries("code.approve")[-2:]
    assert replay(two).replayed == "UNDER_REVIEW"
    assert replay(two).is_same
    assert replay(three).replayed == "APPROVED"
    assert replay(entry).is_same, "the first needed one approval, and still does"


def test_an_approval_taken_out_of_the_database_is_found_by_a_replay(
    desk: Desk, database: Database, replay: Callable[[Entry], Any]
) -> None:
    """Otherwise it could be made to look as if nobody had approved."""
    entry = last(desk, "code.approve")
    with database.engine("admin").begin() as connection:
        connection.execute(text("DELETE FROM governance.code_approvals"))
    found = replay(entry)
    assert not found.is_same
    assert found.replayed == "UNDER_REVIEW"


def test_releases_are_decided_the_same_again(
    desk: Desk, run_of: Callable[..., str], replay: Callable[[Entry], Any], database: Database
) -> None:
    """Otherwise nobody can show that a file rightly left the node."""
    site = desk.site
    run_of({"table.csv": b"ward,n\nx,40\n"})
    request = site.releases.request(ANA, PROJECT, Choice("run-1"), Case("a table", "rounded")).request
    for checker in (CHRIS, CARA):
        site.releases.vote(checker, request.id, Vote.APPROVED)
    entry = last(desk, "release.approve")
    found = replay(entry)
    assert found.is_same, found
    assert found.inputs == {"needed": 2, "files": 1, "votes": 2}
    with database.engine("admin").begin() as connection:
        connection.execute(text("DELETE FROM governance.release_votes WHERE checker = 'cara'"))
    assert replay(entry).replayed == "approved: nothing"


def test_what_cannot_be_replayed_says_why(desk: Desk) -> None:
    """Otherwise a person takes an error for a verdict."""
    replays = Replays(desk.site.governance)
    with pytest.raises(NotFoundError):
        replays.replay(UMA, 10_000)
    with pytest.raises(InputError, match="cannot be replayed"):
        replays.replay(UMA, last(desk, "code.submit").seq)
    with pytest.raises(RefusedError):
        desk.admission.admit(replace(FACTS, run_id="never-asked-for"), is_resume=False)
    with pytest.raises(InputError, match="cannot be replayed"):
        replays.replay(UMA, last(desk, "run.admit").seq)


def test_a_decision_under_no_version_says_so(site: Site) -> None:
    """Otherwise it is replayed under rules that did not hold."""
    revision = site.code.submit(ANA, PROJECT)
    site.code.approve(IDA, PROJECT, revision.commit)
    with pytest.raises(InputError, match="no numbered policy version"):
        Replays(site.governance).replay(UMA, site.entries("code.approve")[-1].seq)


def test_a_grant_that_has_ended_is_none(desk: Desk) -> None:
    """Otherwise the last day of a grant is a remark."""
    expired = AdmissionRules({"patients": date(2000, 1, 1)}, needs_sandbox=False)
    keep = desk.project
    desk.admission._projects = lambda name, **_again: replace(keep(name), rules=expired)  # type: ignore[assignment]
    with pytest.raises(RefusedError, match="no grant"):
        desk.run()
