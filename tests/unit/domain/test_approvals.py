"""What an approver signs, and which approvals are enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.approvals import Approval, ApprovalRules, Statement
from phems.domain.approver_keys import (
    APPROVER_KEYS,
    ApproverKey,
    ApproverKeyAction,
    ApproverKeyState,
    ended,
    why_not_counting,
)
from phems.errors import RefusedError

NOW = datetime(2026, 11, 1, 12, 0, 0, 250, tzinfo=UTC)
STATEMENT = Statement(
    what="code.approve",
    subject="heart-attack@" + "c" * 40 + "#1",
    digest="d" * 64,
    decision="APPROVED",
    by="ida",
    at=NOW,
    policy_version="3:0123456789ab",
)
KEY = ApproverKey(
    person="ida",
    key_id="0123456789abcdef",
    public_key="A" * 43 + "=",
    held_by="node",
    registered_at=NOW,
    registered_by="node",
)
S, A = ApproverKeyState, ApproverKeyAction


def test_what_is_signed_is_the_published_form() -> None:
    """Otherwise nobody outside can verify an approval, and older signatures stop verifying."""
    assert (
        STATEMENT.signed_bytes("node-a")
        == (
            '{"at":"2026-11-01T12:00:00.000250Z","by":"ida","decision":"APPROVED","digest":"'
            + "d" * 64
            + '",'
            '"node":"node-a","phems":"approval 1","policy_version":"3:0123456789ab",'
            '"subject":"heart-attack@' + "c" * 40 + '#1","what":"code.approve"}'
        ).encode()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"what": "capsule.approve"},
        {"subject": "heart-attack@" + "c" * 40 + "#2"},
        {"digest": "d" * 63 + "e"},
        {"decision": "REJECTED"},
        {"by": "ivo"},
        {"at": NOW + timedelta(microseconds=1)},
        {"policy_version": "4:0123456789ab"},
    ],
)
def test_a_signature_holds_for_one_thing_alone(change: dict[str, object]) -> None:
    """Attack 17: otherwise a signature is moved to other code, another turn, another person."""
    assert replace(STATEMENT, **change).signed_bytes("node-a") != STATEMENT.signed_bytes("node-a")  # type: ignore[arg-type]
    assert STATEMENT.signed_bytes("node-b") != STATEMENT.signed_bytes("node-a")


def test_who_has_no_organisation_does_not_count_where_they_are_asked_for() -> None:
    """Otherwise leaving people out of `organisations` gets around the rule."""
    rules = ApprovalRules(
        needed=2,
        different_organisations=True,
        organisations={"ida": "hospital", "ivo": "hospital", "uma": "university"},
    )
    assert not rules.suffice({"ida", "ivo", "iris"})
    assert rules.suffice({"ida", "uma"})
    assert rules.progress({"ida", "ivo"}) == "1 of 2 approvals, each from another organisation"
    assert ApprovalRules(needed=2).progress({"ida"}) == "1 of 2 approvals"


@given(st.sets(st.sampled_from("abcdef")), st.integers(0, 4), st.booleans())
def test_enough_is_never_fewer_people_than_asked_for(people: set[str], needed: int, apart: bool) -> None:
    """Otherwise one person approves for several."""
    rules = ApprovalRules(
        needed=needed,
        different_organisations=apart,
        organisations={name: "xyz"[index % 3] for index, name in enumerate("abcde")},
    )
    if rules.suffice(people):
        assert len(people) >= max(1, needed)


@given(st.data(), st.sets(st.sampled_from("abcdef")))
def test_rules_held_to_others_are_never_looser_than_either(data: st.DataObject, people: set[str]) -> None:
    """Attack 17: otherwise rules that somebody wrote into the database let forged approvals count."""
    organisations = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("xyz"))
    rules = st.builds(
        ApprovalRules,
        needed=st.integers(0, 4),
        unsigned_count=st.booleans(),
        different_organisations=st.booleans(),
        organisations=organisations,
    )
    one, other = data.draw(rules), data.draw(rules)
    both = one.no_looser_than(other)
    assert both.unsigned_count == (one.unsigned_count and other.unsigned_count)
    if both.suffice(people):
        assert one.suffice(people)
        assert other.suffice(people)


def test_an_approval_is_unsigned_until_it_is_signed() -> None:
    """Otherwise approvals from before look signed."""
    assert Approval("ida", NOW, 1).signature is None


@pytest.mark.parametrize(
    ("key", "person", "at", "why"),
    [
        (None, "ida", NOW, "not registered"),
        (KEY, "ivo", NOW, "not ivo's"),
        (KEY, "ida", NOW - timedelta(seconds=1), "older than its key"),
        (ended(KEY, A.REVOKE, by="olga", at=NOW, reason="lost"), "ida", NOW, "was revoked"),
        (ended(KEY, A.REPLACE, by="olga", at=NOW), "ida", NOW, "had been replaced"),
    ],
)
def test_keys_that_do_not_count(key: ApproverKey | None, person: str, at: datetime, why: str) -> None:
    """Attack 18: otherwise a revoked, foreign or unknown key approves code."""
    found = why_not_counting(key, person, at)
    assert found is not None
    assert why in found


def test_what_a_replaced_key_signed_before_still_counts_and_a_revoked_one_never() -> None:
    """Otherwise a routine change of keys stops every project; or a stolen key goes on to count."""
    later = NOW + timedelta(days=1)
    replaced = ended(KEY, A.REPLACE, by="olga", at=later)
    assert (replaced.state, replaced.ended_by, replaced.ended_at) == (S.REPLACED, "olga", later)
    assert why_not_counting(KEY, "ida", NOW) is None
    assert why_not_counting(replaced, "ida", NOW) is None
    revoked = ended(replaced, A.REVOKE, by="olga", at=later, reason="stolen")
    assert why_not_counting(revoked, "ida", NOW) is not None
    assert APPROVER_KEYS.terminal() == (S.REVOKED,)
    with pytest.raises(RefusedError) as refused:
        ended(revoked, A.REPLACE, by="olga", at=later)
    assert "phems user key ida" in refused.value.remedy
