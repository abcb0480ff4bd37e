"""Policy versions: their names, their states, and who is certainly a second person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from phems.domain.actors import LOCAL_OPERATOR
from phems.domain.canonical import digest
from phems.domain.permissions import Role
from phems.domain.policy_versions import (
    POLICY_VERSIONS,
    UNVERSIONED,
    PolicyAction,
    PolicyRecord,
    PolicyState,
    check_second_person,
    moved,
    next_record,
    option,
)
from phems.errors import RefusedError

NOW = datetime(2026, 11, 25, tzinfo=UTC)
OWNER, OPERATOR = frozenset({Role.INFORMATION_ASSET_OWNER}), frozenset({Role.OPERATOR})


def record(
    action: PolicyAction = PolicyAction.PROPOSE, by: str = "olga", scope: str = "heart"
) -> PolicyRecord:
    return next_record(scope, 2, {"votes": 2}, action, by=by, at=NOW)


def test_a_version_is_named_by_number_and_digest() -> None:
    """Otherwise a version of the same number with other rules passes for it."""
    assert record().version.label == f"2:{digest({'votes': 2})[:12]}"
    assert UNVERSIONED.label.startswith("0:")
    assert (record().name, record(scope="").name) == ("2 of heart", "2 of the node")
    assert (option("heart"), option("")) == (" --project heart", "")


def test_what_loosens_nothing_is_in_force_at_once() -> None:
    """Otherwise a stricter rule waits."""
    adopted = record(PolicyAction.ADOPT)
    assert (adopted.state, adopted.decided_by, adopted.decided_at) == (PolicyState.IN_FORCE, "olga", NOW)
    assert (record().state, record().decided_by) == (PolicyState.PENDING, None)


def test_a_version_that_is_replaced_keeps_who_decided_on_it() -> None:
    """Otherwise nobody can tell who had confirmed the rules of a past decision."""
    confirmed = moved(record(), PolicyAction.APPROVE, by="ida", at=NOW)
    replaced = moved(confirmed, PolicyAction.REPLACE, by="", at=NOW)
    assert (replaced.state, replaced.decided_by) == (PolicyState.REPLACED, "ida")
    rejected = moved(record(), PolicyAction.REJECT, by="ida", at=NOW, reason="No.")
    assert (rejected.state, rejected.reason) == (PolicyState.REJECTED, "No.")
    with pytest.raises(RefusedError):
        moved(rejected, PolicyAction.APPROVE, by="ida", at=NOW)


@pytest.mark.parametrize(
    ("proposer", "person", "roles", "is_second"),
    [
        ("olga", "ida", OWNER, True),
        ("olga", "oscar", OPERATOR, True),
        ("olga", "olga", OWNER | OPERATOR, False),
        (LOCAL_OPERATOR.name, "ida", OWNER, True),
        (LOCAL_OPERATOR.name, "ida", OWNER | OPERATOR, True),
        (LOCAL_OPERATOR.name, "oscar", OPERATOR, False),
        (LOCAL_OPERATOR.name, LOCAL_OPERATOR.name, OPERATOR, False),
    ],
)
@pytest.mark.parametrize("scope", ["heart", ""])
def test_who_is_a_second_person(
    proposer: str, person: str, roles: frozenset[Role], is_second: bool, scope: str
) -> None:
    """Otherwise whoever loosens a rule confirms it, under another name."""
    if is_second:
        check_second_person(record(by=proposer, scope=scope), person, roles)
        return
    with pytest.raises(RefusedError) as refused:
        check_second_person(record(by=proposer, scope=scope), person, roles)
    assert "phems policy" in refused.value.remedy


def test_nothing_leads_out_of_where_a_version_ends() -> None:
    """Otherwise an old version comes back into force without anybody confirming it."""
    assert set(POLICY_VERSIONS.terminal()) == {
        PolicyState.REJECTED,
        PolicyState.WITHDRAWN,
        PolicyState.REPLACED,
    }
