"""Case 18: self-approval, the same approver twice, an approver who has lost the role."""

from __future__ import annotations

import pytest
from attacked_node import ANA, ANNEX, IVO, WEI, WIM, AttackedNode, commit

from phems.bootstrap import open_node
from phems.domain.actors import Actor
from phems.domain.code_revisions import CodeRevision
from phems.errors import PhemsError, RefusedError


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


def test_an_approver_who_has_lost_the_role_counts_no_more(
    site: AttackedNode, submitted: CodeRevision
) -> None:
    """Otherwise an approval would outlive the right to give it."""
    code = site.serving.node.code_revisions
    code.approve(WEI, ANNEX, submitted.commit)
    spec_file = site.folder / "node.yaml"
    text = spec_file.read_text()
    spec_file.write_text(text.replace("- wei\n", "- willa\n"))
    try:
        with open_node(site.folder) as later:
            assert not later.access.may("wei", "code.approve", ANNEX)
            after = later.code_revisions.approve(IVO, ANNEX, submitted.commit)
            assert after.state.value == "UNDER_REVIEW", "Ivo's is the only approval that counts"
            with pytest.raises(PhemsError, match=r"wei|no project"):
                later.code_revisions.approve(WEI, ANNEX, submitted.commit)
            last = later.code_revisions.approve(Actor("willa"), ANNEX, submitted.commit)
            assert last.state.value == "APPROVED"
    finally:
        spec_file.write_text(text)
