"""What waits for whom: each thing for those who can have it go on, and for nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from release_requests import ONE, TWO, a_request, submitted, vote, vote_all

from phems.domain.approvals import Approval
from phems.domain.capsule_approvals import approved, requested
from phems.domain.code_revisions import CodeRevision, CodeRevisionState
from phems.domain.permissions import Role
from phems.domain.policy_versions import PolicyAction, next_record
from phems.domain.release_states import ReleaseAction, ReleaseState
from phems.domain.releases import ReleaseRequest, acted
from phems.domain.votes import Vote
from phems.domain.waiting import (
    TaskKind,
    capsule_underway,
    request_underway,
    revision_underway,
    task_of_capsule,
    task_of_policy,
    task_of_request,
    task_of_revision,
)

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ANALYST, CHECKER = frozenset({Role.DATA_ANALYST}), frozenset({Role.OUTPUT_CHECKER})
OWNER, OPERATOR = frozenset({Role.INFORMATION_ASSET_OWNER}), frozenset({Role.OPERATOR})
YES, NO = Vote.APPROVED, Vote.CHANGES_REQUESTED


def asked_of(request: ReleaseRequest, who: str, roles: frozenset[Role] = CHECKER) -> tuple[str, int] | None:
    task = task_of_request(request, who, roles)
    return (task.kind.value, task.count) if task else None


def test_files_wait_for_the_vote_of_each_checker_until_they_have_voted() -> None:
    """Otherwise a request lies there and nobody knows that it is their turn."""
    request = submitted()
    assert asked_of(request, "chris") == ("vote", 2)
    request = vote(request, "chris", (ONE, YES))
    assert asked_of(request, "chris") == ("vote", 1)
    assert asked_of(vote(request, "chris", (ONE, Vote.UNDECIDED)), "chris") == ("vote", 2)


def test_what_waits_tells_a_blind_checker_nothing_of_the_others() -> None:
    """Otherwise the list of tasks would say when another has voted."""
    request = vote(vote(submitted(), "chris", (ONE, YES)), "cara", (ONE, YES))
    assert asked_of(request, "cleo") == asked_of(submitted(), "cleo") == ("vote", 2)


def test_a_dispute_waits_for_a_third_vote_and_for_those_who_disagree() -> None:
    """Otherwise a conflict would wait for ever."""
    request = vote_all(submitted(), "chris", YES)
    request = vote(request, "cara", (ONE, YES), (TWO, NO))
    assert asked_of(request, "cleo") == ("vote", 1)
    assert asked_of(request, "chris") == asked_of(request, "cara") == ("settle", 1)


def test_a_vote_that_was_taken_back_waits_for_who_took_it_back() -> None:
    request = vote_all(vote_all(submitted(), "chris", YES), "cara", NO)
    request = vote_all(request, "cara", Vote.UNDECIDED, reason="I look again")
    assert asked_of(request, "cara") == ("vote", 2)
    assert asked_of(request, "chris") is None


def test_a_reviewed_request_waits_for_a_decision() -> None:
    """Otherwise nobody lets the approved files go."""
    request = vote(vote(submitted(), "chris", (ONE, YES), (TWO, NO)), "cara", (ONE, YES), (TWO, NO))
    assert request.state is ReleaseState.REVIEWED
    assert asked_of(request, "cleo") == ("decide", 2)


@pytest.mark.parametrize("author", ["ana", "ben"])
def test_an_author_is_asked_for_no_vote_and_for_what_is_theirs_to_do(author: str) -> None:
    """Otherwise an author would be sent to a form that refuses them."""
    both = ANALYST | CHECKER
    assert asked_of(submitted(), author, both) is None
    returned = acted(submitted(), ReleaseAction.RETURN, by="chris", at=NOW, reason="round more")
    assert asked_of(returned, author, both) == ("resubmit", 1)
    assert asked_of(returned, author, CHECKER) is None
    assert asked_of(a_request(), author, both) == ("submit", 1)
    assert asked_of(a_request(), author, CHECKER) is None


def test_a_returned_request_waits_since_it_was_returned() -> None:
    returned = acted(submitted(), ReleaseAction.RETURN, by="chris", at=NOW, reason="round more")
    task = task_of_request(returned, "ana", ANALYST)
    assert task is not None
    assert task.since == NOW
    undated = replace(returned, decided_at=None)
    older = task_of_request(undated, "ana", ANALYST)
    assert older is not None
    assert older.since == undated.requested_at


def test_a_request_waits_for_no_one_without_the_role_nor_when_it_is_over() -> None:
    assert asked_of(submitted(), "chris", OWNER) is None
    assert asked_of(replace(submitted(), state=ReleaseState.RELEASED), "chris") is None


REVISION = CodeRevision(
    project="heart-attack",
    commit="c" * 40,
    digest="d" * 64,
    environment_digest=None,
    branch="main",
    subject="Begin",
    authors=frozenset({"ana"}),
    submitter="ana",
    submitted_at=NOW,
)


def test_a_code_revision_waits_for_owners_who_can_still_approve_it() -> None:
    """Otherwise an author would be asked to approve, or somebody twice."""
    task = task_of_revision(REVISION, "ida", OWNER)
    assert task is not None
    assert (task.kind, task.subject) == (TaskKind.APPROVE_CODE, REVISION.commit)
    assert task_of_revision(REVISION, "ana", OWNER) is None
    assert task_of_revision(REVISION, "ida", ANALYST) is None
    one = replace(REVISION, state=CodeRevisionState.UNDER_REVIEW, approvals=(Approval("ida", NOW, 1),))
    assert task_of_revision(one, "ida", OWNER) is None
    assert task_of_revision(one, "ivo", OWNER) is not None
    assert task_of_revision(replace(REVISION, state=CodeRevisionState.APPROVED), "ivo", OWNER) is None


ASKED = requested("heart-attack", "c" * 64, by="ana", at=NOW, policy_version="1:abc")


def test_a_run_capsule_waits_for_an_owner_and_then_for_who_asked_for_it() -> None:
    """Otherwise the run that was refused is never launched again."""
    task = task_of_capsule(ASKED, "ida", OWNER, NOW)
    assert task is not None
    assert task.kind is TaskKind.APPROVE_CAPSULE
    assert task_of_capsule(ASKED, "ana", OWNER, NOW) is None
    assert task_of_capsule(ASKED, "ida", ANALYST, NOW) is None
    tomorrow = NOW + timedelta(days=1)
    given = approved(ASKED, by="ida", at=NOW, times=1, expires_at=tomorrow)
    task = task_of_capsule(given, "ana", ANALYST, NOW)
    assert task is not None
    assert task.kind is TaskKind.LAUNCH
    assert task_of_capsule(given, "ana", OWNER, NOW) is None
    assert task_of_capsule(given, "ben", ANALYST, NOW) is None
    assert task_of_capsule(replace(given, used=1), "ana", ANALYST, NOW) is None
    assert task_of_capsule(given, "ana", ANALYST, tomorrow) is None
    undated = task_of_capsule(replace(given, decided_at=None), "ana", ANALYST, NOW)
    assert undated is not None
    assert undated.since == ASKED.asked_at


def test_a_policy_version_waits_for_a_second_person() -> None:
    """Otherwise who proposed it would be asked to confirm it."""
    record = next_record("heart-attack", 2, {"votes": 2}, PolicyAction.PROPOSE, by="olga", at=NOW)
    task = task_of_policy(record, "ida", OWNER)
    assert task is not None
    assert (task.kind, task.subject) == (TaskKind.CONFIRM_POLICY, "2")
    assert task_of_policy(record, "olga", OPERATOR) is None
    assert task_of_policy(record, "ana", ANALYST) is None
    adopted = next_record("heart-attack", 2, {"votes": 2}, PolicyAction.ADOPT, by="olga", at=NOW)
    assert task_of_policy(adopted, "ida", OWNER) is None


def test_what_is_on_its_way_is_shown_to_whose_it_is() -> None:
    """Otherwise people ask around where their request is."""
    request = vote(submitted(), "chris", (ONE, YES))
    thing = request_underway(request, "ana")
    assert thing is not None
    assert thing.state == "SUBMITTED"  # that somebody has begun to vote is not told
    assert request_underway(request, "chris") is None
    assert request_underway(a_request(), "ana") is None
    assert revision_underway(REVISION, "ana") is not None
    assert revision_underway(REVISION, "ida") is None
    assert revision_underway(replace(REVISION, state=CodeRevisionState.APPROVED), "ana") is None
    assert capsule_underway(ASKED, "ana") is not None
    assert capsule_underway(ASKED, "ida") is None
    assert capsule_underway(approved(ASKED, by="ida", at=NOW, times=1, expires_at=None), "ana") is None
