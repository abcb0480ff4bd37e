"""Case 18: self-approval, the same approver twice, one who has lost the role or whose key is revoked."""

from __future__ import annotations

import pytest
from attacked_node import ANA, ANNEX, INTRUDER, IVO, WARD, WEI, WIM, AttackedNode, commit, until

from phems.bootstrap import open_node
from phems.domain.actors import Actor
from phems.domain.code_revisions import CodeRevision
from phems.errors import PhemsError, RefusedError
from phems.nodespec import load_node

OLGA = Actor("olga")


@pytest.fixture
def submitted(site: AttackedNode) -> CodeRevision:
    """A code revision of a project that asks for two approvals, submitted by Wim, who may also approve."""
    commit(site.folder / "repos" / ANNEX, "Again")
    return site.serving.node.code_revisions.submit(WIM, ANNEX)


def state(site: AttackedNode, revision: CodeRevision) -> str:
    """How the revision stands."""
    return site.serving.node.code_revisions.show(ANA, ANNEX, revision.commit).state.value


def test_nobody_approves_their_own_code(site: AttackedNode, submitted: CodeRevision) -> None:
    """Otherwise one person could bring code to the patients' data."""
    code = site.serving.node.code_revisions
    with pytest.raises(RefusedError, match="its author cannot approve"):
        code.approve(WIM, ANNEX, submitted.commit)
    assert state(site, submitted) == "SUBMITTED"
    refused = [e for e in site.refusals("code.approve") if e.project == ANNEX and e.actor == "wim"]
    assert refused


def test_who_wrote_the_commit_is_an_author_whoever_submits(site: AttackedNode) -> None:
    """Otherwise a friend's submission would make the author a stranger. The commits are Ana's."""
    commit(site.folder / "repos" / ANNEX, "By Ana")
    revision = site.serving.node.code_revisions.submit(WIM, ANNEX)
    with pytest.raises(PhemsError):
        site.serving.node.code_revisions.approve(Actor("ana"), ANNEX, revision.commit)
    assert state(site, revision) == "SUBMITTED"


def test_the_same_approver_counts_once(site: AttackedNode, submitted: CodeRevision) -> None:
    """Otherwise two approvals could come from one person."""
    code = site.serving.node.code_revisions
    assert code.approve(WEI, ANNEX, submitted.commit).state.value == "UNDER_REVIEW"
    with pytest.raises(RefusedError, match="already approved"):
        code.approve(WEI, ANNEX, submitted.commit)
    assert state(site, submitted) == "UNDER_REVIEW"


def test_an_approver_who_has_lost_the_role_counts_no_more(own_site: AttackedNode) -> None:
    """Otherwise an approval would outlive the right to give it."""
    site = own_site
    commit(site.folder / "repos" / ANNEX, "Again")
    submitted = site.serving.node.code_revisions.submit(WIM, ANNEX)
    site.serving.node.code_revisions.approve(WEI, ANNEX, submitted.commit)
    spec_file = site.folder / "node.yaml"
    spec_file.write_text(spec_file.read_text().replace("- wei\n", "- willa\n"))
    with open_node(site.folder) as later:
        waiting = later.take_up(OLGA, load_node(site.folder))
        assert not later.access.may("wei", "code.approve", ANNEX), "what is taken away is taken at once"
        after = later.code_revisions.approve(IVO, ANNEX, submitted.commit)
        assert after.state.value == "UNDER_REVIEW", "Ivo's is the only approval that counts"
        with pytest.raises(PhemsError, match=r"wei|no project"):
            later.code_revisions.approve(WEI, ANNEX, submitted.commit)
        with pytest.raises(PhemsError, match=r"willa|no project"):
            later.code_revisions.approve(Actor("willa"), ANNEX, submitted.commit)
        (number,) = [found.number for found in waiting if found.scope == ANNEX]
        later.policies.approve(IVO, ANNEX, number)
    with open_node(site.folder) as later:
        last = later.code_revisions.approve(Actor("willa"), ANNEX, submitted.commit)
        assert last.state.value == "APPROVED"


def test_code_approved_with_a_key_that_was_revoked_runs_no_more(own_site: AttackedNode) -> None:
    """Otherwise whoever has stolen an approver's key has code run for as long as they like."""
    site, node = own_site, own_site.serving.node
    node.users.add_user(OLGA, "wei")
    before = node.code_revisions.list(ANA, INTRUDER)[0]
    assert site.wait(site.launch(INTRUDER, "plain_job")).is_success

    key = node.approver_keys.revoke(OLGA, "wei", reason="Stolen with a laptop")
    refused = site.launch(INTRUDER, "plain_job")
    assert site.wait(refused).status.value == "FAILURE"
    assert f"its key {key.key_id} was revoked" in site.log(refused)
    with pytest.raises(RefusedError, match="no key to sign with"):
        node.code_revisions.approve(WEI, INTRUDER, before.commit)

    confirmed = node.code_revisions.approve(IVO, INTRUDER, before.commit)
    assert confirmed.state.value == "APPROVED"
    assert site.wait(site.launch(INTRUDER, "plain_job")).is_success


def test_revoking_code_ends_its_runs_when_asked_to(own_site: AttackedNode) -> None:
    """Otherwise what was found to be malicious works on until it is done."""
    site, node = own_site, own_site.serving.node
    running = site.launch(WARD, "waiting_job")
    until(lambda: "wait_for_go" in site.started_steps(running), 20, "the ward's job waits")
    waiting = site.launch(WARD, "count_job")  # the ward runs one at a time
    revision = node.code_revisions.list(ANA, WARD)[0]

    node.code_revisions.revoke(WEI, WARD, revision.commit, reason="It leaks", stop_runs=True)
    assert site.wait(running, 20).status.value == "CANCELED"
    assert "revoked its code revision" in site.log(running)
    assert site.wait(waiting).status.value == "FAILURE"
    assert "PIPELINE_START" not in site.event_types(waiting)
    (entry,) = [entry for entry in site.audit() if entry.action == "run.cancel"]
    assert (entry.subject, entry.details["revoked_by"]) == (running, "wei")
    assert site.wait(site.launch(INTRUDER, "plain_job")).is_success, "the other project is untouched"


def test_revoking_code_lets_its_runs_end_by_themselves_otherwise(own_site: AttackedNode) -> None:
    """Otherwise a routine revocation throws away days of work."""
    site, node = own_site, own_site.serving.node
    running = site.launch(WARD, "waiting_job")
    until(lambda: "wait_for_go" in site.started_steps(running), 20, "the ward's job waits")
    revision = node.code_revisions.list(ANA, WARD)[0]
    node.code_revisions.revoke(WEI, WARD, revision.commit, reason="Out of date")
    (site.data / "artifacts" / WARD / "go").touch()
    assert site.wait(running).is_success, site.log(running)
