"""Case 17, capsules: an approval of a run capsule lets run what was approved, as often, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attacked_node import ANA, WARD, WEI, WIM, AttackedNode, write_node_repo
from sqlalchemy import text
from tests.folders import open_folder

from phems.domain.capsule_approvals import CapsuleApproval, CapsuleState
from phems.errors import RefusedError


def ask_for_capsules(spec: dict[str, Any]) -> None:
    """The ward's runs are approved one capsule at a time; it runs them side by side."""
    spec["policies"]["careful"] = {**spec["policies"]["default"], "approve": "capsule"}
    spec["projects"][WARD]["policy"] = "careful"


@pytest.fixture(scope="module")
def careful(sandbox: None) -> Iterator[AttackedNode]:
    """A node whose ward has the policy `approve: capsule`."""
    with open_folder() as folder:
        write_node_repo(folder / "site", ask_for_capsules)
        with AttackedNode(folder / "site", approve=(WARD,)) as site:
            yield site


@pytest.fixture
def capsule(careful: AttackedNode) -> CapsuleApproval:
    """A capsule that ana has asked for, by a run that was refused; no other test has the same."""
    known = {found.capsule for found in requests(careful)}
    tag = {"study": str(len(known))}
    assert refused(careful, careful.launch(WARD, "count_job", tags=tag))
    (found,) = [found for found in requests(careful) if found.capsule not in known]
    assert found.state is CapsuleState.REQUESTED
    return found


def requests(site: AttackedNode) -> list[CapsuleApproval]:
    """The capsules that were asked for."""
    return list(site.serving.node.capsules.list(ANA, WARD))


def refused(site: AttackedNode, run_id: str) -> str:
    """What a run was refused with; fails for one that started."""
    assert site.wait(run_id).status.value == "FAILURE"
    assert "PIPELINE_START" not in site.event_types(run_id)
    assert "STEP_START" not in site.event_types(run_id)
    return site.log(run_id)


def launch(site: AttackedNode, capsule: CapsuleApproval, **changes: Any) -> str:
    """Launch the run of a capsule once more, or one that differs from it."""
    document = site.serving.node.capsules.show(ANA, WARD, capsule.capsule).document
    return site.launch(WARD, "count_job", **{"tags": document["tags"], **changes})


def govern(site: AttackedNode, statement: str, **values: Any) -> None:
    """A statement by the database's owner: what somebody who has the database could do."""
    with site.serving.node.database.engine("admin").begin() as connection:
        connection.execute(text(statement), values)


def test_a_refusal_names_the_command_that_asks_and_shows_all_that_would_run(
    careful: AttackedNode, capsule: CapsuleApproval
) -> None:
    """Otherwise a person approves a number, and not what will happen."""
    log = refused(careful, launch(careful, capsule))
    assert f"phems capsule approve --project {WARD} {capsule.name}" in log
    view = careful.serving.node.capsules.show(WEI, WARD, capsule.name)
    assert view.capsule == capsule.capsule
    assert view.document["job"] == "count_job"
    assert view.document["data"]["patients"]["version"].startswith("sha256:")
    assert view.document["code"]["digest"] == careful.location(WARD).code_digest


def test_an_approval_is_for_one_run(careful: AttackedNode, capsule: CapsuleApproval) -> None:
    """Otherwise what was approved once is run until it tells something."""
    careful.serving.node.capsules.approve(WEI, WARD, capsule.name)
    run_id = launch(careful, capsule)
    assert careful.wait(run_id).is_success, careful.log(run_id)
    assert careful.run(run_id).tags["phems/capsule"] == capsule.name
    assert careful.run(run_id).tags["phems/approval"] == "code: wei; run: wei"
    assert "used up" in refused(careful, launch(careful, capsule))


@pytest.mark.parametrize(
    "changes",
    [{"tags": {"study": "another"}}, {"config": {"ops": {}}}, {"step_keys": ["count"]}],
    ids=["tags", "config", "selection"],
)
def test_an_approval_is_for_nothing_else(
    careful: AttackedNode, capsule: CapsuleApproval, changes: dict[str, Any]
) -> None:
    """Otherwise a harmless run is approved and a harmful one started."""
    careful.serving.node.capsules.approve(WEI, WARD, capsule.name, times=2)
    assert "needs an approval" in refused(careful, launch(careful, capsule, **changes))
    assert careful.wait(launch(careful, capsule)).is_success, "what was approved still runs"


def test_other_data_is_another_capsule(careful: AttackedNode, capsule: CapsuleApproval) -> None:
    """Otherwise a run approved on one extract of the data runs on another, one patient apart."""
    careful.serving.node.capsules.approve(WEI, WARD, capsule.name)
    patients = careful.folder / "sources" / "patients.csv"
    before = patients.read_text()
    try:
        patients.write_text(before.replace("77", "78"))
        assert "needs an approval" in refused(careful, launch(careful, capsule))
    finally:
        patients.write_text(before)


def test_who_asked_cannot_approve(careful: AttackedNode) -> None:
    """Otherwise an owner who is an analyst too needs nobody else."""
    run = careful.create_run(WARD, "count_job", tags={"study": "by wim"})
    careful.submit(run, who="wim")
    refused(careful, run.run_id)
    (own,) = [found for found in requests(careful) if found.asked_by == "wim"]
    with pytest.raises(RefusedError, match="cannot approve"):
        careful.serving.node.capsules.approve(WIM, WARD, own.name)
    with pytest.raises(RefusedError):
        careful.serving.node.capsules.approve(ANA, WARD, own.name)
    assert [e for e in careful.refusals("capsule.approve") if e.subject == own.name]


def test_who_approved_cannot_run_it(careful: AttackedNode, capsule: CapsuleApproval) -> None:
    """Otherwise one person lets one person ask, and runs it alone."""
    careful.serving.node.capsules.approve(WIM, WARD, capsule.name)
    run = careful.create_run(WARD, "count_job", tags={"study": tag_of(careful, capsule)})
    careful.submit(run, who="wim")
    assert "cannot run what they approve" in refused(careful, run.run_id)


def tag_of(site: AttackedNode, capsule: CapsuleApproval) -> str:
    """What sets a capsule of these tests apart from the others."""
    return str(site.serving.node.capsules.show(ANA, WARD, capsule.name).document["tags"]["study"])


def test_a_revoked_approval_lets_nothing_run(careful: AttackedNode, capsule: CapsuleApproval) -> None:
    """Otherwise a mistake could not be taken back."""
    capsules = careful.serving.node.capsules
    capsules.approve(WEI, WARD, capsule.name, times=5)
    capsules.revoke(WEI, WARD, capsule.name, reason="It was the wrong cohort.")
    assert "the wrong cohort" in refused(careful, launch(careful, capsule))
    with pytest.raises(RefusedError):
        capsules.approve(WEI, WARD, capsule.name)


@pytest.mark.parametrize(
    "forgery",
    [
        (
            "UPDATE governance.capsule_approvals SET times = 100, state = 'APPROVED', decided_by = 'wei', "
            "decided_at = now() WHERE capsule = :capsule"
        ),
        (
            "UPDATE governance.capsule_approvals a SET state = b.state, decided_by = b.decided_by, "
            "decided_at = b.decided_at, times = b.times, policy_version = b.policy_version, "
            "key_id = b.key_id, "
            "signature = b.signature FROM governance.capsule_approvals b "
            "WHERE b.signature <> '' AND a.capsule = :capsule"
        ),
    ],
    ids=["no signature", "that of another capsule"],
)
def test_an_approval_written_into_the_database(
    careful: AttackedNode, capsule: CapsuleApproval, forgery: str
) -> None:
    """Otherwise who has the database decides what runs."""
    assert refused(careful, careful.launch(WARD, "count_job", tags={"study": f"signed {capsule.name}"}))
    signed = next(found for found in requests(careful) if found.capsule != capsule.capsule)
    careful.serving.node.capsules.approve(WEI, WARD, signed.capsule, times=100)
    govern(careful, forgery, capsule=capsule.capsule)
    log = refused(careful, launch(careful, capsule))
    assert "not signed" in log or "does not count" in log


def test_more_runs_than_were_signed_for(careful: AttackedNode, capsule: CapsuleApproval) -> None:
    """Otherwise one signature for one run is stretched to any number."""
    careful.serving.node.capsules.approve(WEI, WARD, capsule.name)
    statement = "UPDATE governance.capsule_approvals SET times = 100 WHERE capsule = :capsule"
    govern(careful, statement, capsule=capsule.capsule)
    assert "does not count" in refused(careful, launch(careful, capsule))


def test_two_launches_at_once_use_one_approval_once(careful: AttackedNode, capsule: CapsuleApproval) -> None:
    """Otherwise a race gives two results for one approval."""
    careful.serving.node.capsules.approve(WEI, WARD, capsule.name)
    both = [launch(careful, capsule) for _ in range(2)]
    ended = [careful.wait(run_id).is_success for run_id in both]
    assert sorted(ended) == [False, True]
    admitted = [e for e in careful.audit() if e.action == "run.admit" and e.subject in both]
    assert sorted(entry.result for entry in admitted if entry.result == "done") == ["done"]
