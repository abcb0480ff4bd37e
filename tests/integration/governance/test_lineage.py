"""Lineage: from released bytes back to who decided, which code ran, and on what data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from tests.integration.governance.governed_site import ANA, BEN, CHRIS, IDA, OTHER, PROJECT, STRANGER, Site
from tests.integration.governance.released import FILES, approved, released

from phems.domain.canonical import digest
from phems.domain.permissions import Role
from phems.errors import NotFoundError, RefusedError
from phems.services.lineage import Lineages
from phems.services.ports.runs import RunAdmission

RunOf = Callable[..., str]
TABLE = hashlib.sha256(FILES["km.csv"]).hexdigest()


@pytest.fixture
def lineages(site: Site) -> Lineages:
    return Lineages(site.governance, site.access)


def admitted(site: Site, run_id: str, code_digest: str) -> str:
    """Put on record that the run was let through; gives its capsule."""
    document = {
        "phems": "run capsule 1",
        "project": PROJECT,
        "code": {"digest": code_digest},
        "environment": {"digest": "e" * 64},
        "data": {"wards": {"place": "csv wards.csv", "version": "sha256:" + "d" * 64}},
        "policy_version": f"{PROJECT} v1",
    }
    capsule = digest(document)
    with site.governance.transaction() as work:
        work.runs.add_admission(
            RunAdmission(run_id, PROJECT, code_digest, capsule, site.clock.now()), document
        )
    return capsule


def test_released_bytes_lead_back_to_votes_code_approvals_and_data_versions(
    site: Site, lineages: Lineages, run_of: RunOf
) -> None:
    """An auditor who holds a published number can ask where it is from, with nothing else in hand."""
    revision = site.code.approve(IDA, PROJECT, site.code.submit(ANA, PROJECT).commit)
    site.launched("run-1", "ana", revision.digest)
    capsule = admitted(site, "run-1", revision.digest)
    name = released(site, run_of).name
    found = lineages.of(ANA, PROJECT, TABLE)
    [file] = found.files
    assert (file.path, file.sha256, file.step_key) == ("outputs/run-1/km.csv", TABLE, "make_table")
    [release] = file.releases
    assert (release.request, release.state, release.decision) == (name, "RELEASED", "APPROVED")
    assert release.checkers == ("cara", "chris")
    assert release.package_digest
    [run] = found.runs
    assert (run.run_id, run.requested_by, run.capsule) == ("run-1", "ana", capsule)
    assert (run.commit, run.approved_by) == (revision.commit, ("ida",))
    assert dict(run.data) == {"wards": "sha256:" + "d" * 64}
    assert (run.environment_digest, run.policy_version) == ("e" * 64, f"{PROJECT} v1")
    # Asked of the request, and of the run, it is the same run.
    assert lineages.of(ANA, PROJECT, name).runs == (run,)
    assert {file.path for file in lineages.of(ANA, PROJECT, name).files} == {
        f"outputs/run-1/{file}" for file in FILES
    }
    assert lineages.of(ANA, PROJECT, "run-1").runs == (run,)


def test_votes_are_not_told_before_the_release(site: Site, lineages: Lineages, run_of: RunOf) -> None:
    """Blind votes must not be read here before everyone has voted, nor a decision before it holds."""
    name = approved(site, run_of)
    for what in (name, TABLE):
        for file in lineages.of(CHRIS, PROJECT, what).files:
            for release in file.releases:
                assert (release.decision, release.checkers, release.released_at) == (None, (), None)


def test_another_project_s_files_look_as_if_there_were_none(
    site: Site, lineages: Lineages, run_of: RunOf
) -> None:
    """A SHA-256 may be guessed, or known from elsewhere: it must not say that a hospital's project has it."""
    site.launched("run-1", "ana", "c" * 64)
    name = released(site, run_of).name
    site.people.roles["ben", OTHER] = {Role.DATA_ANALYST}
    for what in (name, TABLE, "run-1"):
        with pytest.raises(NotFoundError) as absent:
            lineages.of(BEN, OTHER, what)
        assert "ana" not in str(absent.value)
        with pytest.raises((NotFoundError, RefusedError)):
            lineages.of(STRANGER, PROJECT, what)
    for what in ("rr-aaaaaaaa", "0" * 64, "no-such-run", "../../etc"):
        with pytest.raises(NotFoundError, match=r"phems release|phems run list"):
            lineages.of(ANA, PROJECT, what)


def test_a_run_of_which_nothing_is_on_record_says_so(site: Site, lineages: Lineages, run_of: RunOf) -> None:
    """A gap must be told as one, and not be filled in."""
    name = released(site, run_of).name
    [run] = lineages.of(ANA, PROJECT, name).runs
    assert (run.run_id, run.requested_by, run.commit, dict(run.data)) == ("run-1", None, None, {})
