"""Decisions taken again: what counted then counts, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from phems.domain.admission import AdmissionInputs, AdmissionRules
from phems.domain.approvals import Approval
from phems.domain.code_revisions import CodeRevision
from phems.domain.releases import CastVote, FrozenFile
from phems.domain.replays import (
    Replay,
    approval_rules,
    approvers_until,
    recorded_admission,
    replayed_admission,
    replayed_code_approval,
    replayed_release,
    votes_until,
)
from phems.domain.votes import Vote

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
CONTENT: dict[str, Any] = {
    "policy": {
        "approvals": 2,
        "signatures": "required",
        "approvals_from_different_organisations": False,
        "sandbox": "preferred",
        "approve": "code",
        "votes": 2,
    },
    "members": {"information_asset_owner": ["ida", "ivo", "ana"]},
    "data_grants": {},
}


def revision(*approvals: Approval) -> CodeRevision:
    return CodeRevision(
        project="heart",
        commit="a" * 40,
        digest="d" * 64,
        environment_digest=None,
        branch="main",
        subject="x",
        authors=frozenset({"ana"}),
        submitter="ana",
        submitted_at=NOW,
        approvals=approvals,
    )


def test_approvals_count_that_were_there_and_were_not_the_authors() -> None:
    """Otherwise a replay counts what came later, or what should never have counted."""
    found = revision(
        Approval("ida", NOW, 1),
        Approval("ivo", LATER, 1),
        Approval("ida", NOW, 2),
        Approval("ana", NOW, 1),
        Approval("eve", NOW, 1),
    )
    assert approvers_until(found, 1, NOW, CONTENT) == {"ida"}
    assert approvers_until(found, 1, LATER, CONTENT) == {"ida", "ivo"}


def test_the_rules_are_those_of_the_version() -> None:
    """Otherwise a decision is measured by the rules of today."""
    rules = approval_rules(CONTENT, {})
    assert replayed_code_approval({"ida"}, rules) == "UNDER_REVIEW"
    assert replayed_code_approval({"ida", "ivo"}, rules) == "APPROVED"
    apart = {**CONTENT["policy"], "approvals_from_different_organisations": True, "signatures": "optional"}
    same = approval_rules({"policy": apart}, {"organisations": {"ida": "hospital", "ivo": "hospital"}})
    assert same.unsigned_count
    assert replayed_code_approval({"ida", "ivo"}, same) == "UNDER_REVIEW"


def test_the_last_vote_of_each_checker_before_the_decision_counts() -> None:
    """Otherwise a vote that was changed, or came too late, decides."""
    votes = [
        CastVote("a.csv", "chris", Vote.APPROVED, LATER, 1),
        CastVote("a.csv", "chris", Vote.CHANGES_REQUESTED, NOW, 1),
        CastVote("a.csv", "cara", Vote.APPROVED, NOW, 1),
        CastVote("a.csv", "cleo", Vote.APPROVED, NOW, 2),
    ]
    file = FrozenFile("a.csv", "f" * 64, 1, "text/csv", "run-1", "step")
    assert replayed_release([file], votes_until(votes, 1, NOW), 2) == []
    assert replayed_release([file], votes_until(votes, 1, LATER), 2) == ["f" * 64]


@pytest.mark.parametrize(("result", "told"), [("done", "admitted"), ("refused", "refused: as_asked")])
def test_an_admission_is_told_in_one_word(result: str, told: str) -> None:
    """Otherwise the recorded and the replayed outcome cannot be compared."""
    assert recorded_admission(result, {"rule": "as_asked"}) == told
    inputs = AdmissionInputs(
        run_id="run-1",
        project="heart",
        job="j",
        is_resume=False,
        is_as_asked=result == "done",
        revision_state=revision().state,
        needed_sources=(),
        is_isolating=True,
        day=NOW.date(),
        was_admitted=False,
    )
    state = {**inputs.as_json(AdmissionRules({}, needs_sandbox=False)), "revision_state": "APPROVED"}
    kept = AdmissionInputs.from_json(state, run_id="run-1", project="heart")
    assert replayed_admission(kept, CONTENT) == told


def test_a_replay_says_whether_both_are_the_same() -> None:
    """Otherwise a person has to compare them by eye."""
    replay = Replay(7, "run.admit", "run-1", "heart", "1:abc", "admitted", "admitted", {"day": "2026-11-25"})
    assert replay.is_same
    assert replay.as_json()["is_same"] is True
    assert replay.as_json()["inputs"] == {"day": "2026-11-25"}
