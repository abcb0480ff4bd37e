"""Votes in the audit log: sealed while checkers are blind, and opened after as the ones that were cast."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.domain.release_requests import NOW, ONE, submitted, vote

from phems.domain.approvals import Signature
from phems.domain.releases import CastVote, ReleaseRequest
from phems.domain.sealed_votes import opened, opens, sealed, statement_of
from phems.domain.votes import Vote


@pytest.fixture
def request_() -> ReleaseRequest:
    return vote(submitted(), "chris", (ONE, Vote.APPROVED))


def with_nonce(request: ReleaseRequest, nonce: str = "0f" * 16) -> CastVote:
    return replace(request.votes[0], nonce=nonce)


def test_a_sealed_vote_tells_neither_the_word_nor_the_file_name(request_: ReleaseRequest) -> None:
    """Otherwise a checker who reads the audit log is not blind, or a file's name leaks into it."""
    lines = {str(sealed(request_, replace(with_nonce(request_), vote=word))) for word in Vote}
    assert len(lines) == 3
    for line in lines:
        assert "one.csv" not in line
        assert not any(word in line for word in Vote)


def test_an_opened_vote_is_the_one_that_was_sealed(request_: ReleaseRequest) -> None:
    """Otherwise the node can claim another vote once it knows what it would like."""
    cast = with_nonce(request_)
    line, told = sealed(request_, cast), opened(request_, cast)
    assert opens(request_.id, 1, line, told)
    for change in ({"vote": "CHANGES_REQUESTED"}, {"checker": "cara"}, {"file": "b" * 64}, {"nonce": ""}):
        assert not opens(request_.id, 1, line, {**told, **change})
    assert not opens(request_.id, 2, line, told)
    assert not opens("rr-bbbbbbbb", 1, line, told)


def test_an_opened_vote_says_that_there_is_a_justification_and_not_which(request_: ReleaseRequest) -> None:
    """Otherwise the log quotes an unreleased result."""
    cast = replace(
        request_.votes[0], justification="row 3 is me", reason="", signature=Signature("ab" * 8, "sig")
    )
    assert opened(request_, cast) == {
        "file": "a" * 64,
        "checker": "chris",
        "vote": "APPROVED",
        "justified": True,
        "reason_given": False,
        "key_id": "ab" * 8,
    }


def test_a_statement_is_about_one_vote_on_one_file_in_one_turn(request_: ReleaseRequest) -> None:
    """Otherwise a signature is copied to another file, turn, word or person."""
    cast = replace(request_.votes[0], policy_version="3:abc")
    whole = statement_of("rr-aaaaaaaa", cast, "a" * 64).signed_bytes("node-a")
    others = [
        statement_of("rr-bbbbbbbb", cast, "a" * 64),
        statement_of("rr-aaaaaaaa", cast, "b" * 64),
        *(
            statement_of("rr-aaaaaaaa", replace(cast, **change), "a" * 64)
            for change in (
                {"path": "outputs/run-1/two.csv"},
                {"turn": 2},
                {"vote": Vote.UNDECIDED},
                {"checker": "cara"},
                {"at": NOW.replace(year=2027)},
                {"policy_version": "4:abc"},
            )
        ),
    ]
    assert whole not in {other.signed_bytes("node-a") for other in others}
    assert len({other.signed_bytes("node-a") for other in others}) == len(others)
