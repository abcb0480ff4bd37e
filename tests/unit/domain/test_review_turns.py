"""A review is of one turn: what is said of another is not heard."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from phems.domain.releases import ReleasePolicy, ReleaseRequest
from phems.domain.review import check_turn
from phems.errors import StaleError

REQUEST = ReleaseRequest(
    id="rr-abcdefgh",
    project="heart-attack",
    requester="ana",
    authors=frozenset({"ana"}),
    policy=ReleasePolicy("default", 2, ("csv",), 1000),
    requested_at=datetime(2026, 11, 1, tzinfo=UTC),
    groups=(),
    files=(),
    runs=(),
    turn=2,
)


def test_a_review_of_another_turn_is_refused() -> None:
    """A vote on yesterday's file would release today's, which nobody looked at."""
    with pytest.raises(StaleError) as refused:
        check_turn(REQUEST, 1)
    assert "turn 2" in refused.value.why


@pytest.mark.parametrize("reviewed", [2, None])
def test_a_review_of_the_present_turn_is_heard(reviewed: int | None) -> None:
    """None: the command line shows a request and acts on it in one go."""
    check_turn(REQUEST, reviewed)
