"""A capability must mean one thing: claims that fit neither kind are refused, whoever signed them."""

from __future__ import annotations

from typing import Any

import pytest

from phems.contract.capability import Capability
from phems.errors import RefusedError

STEP = Capability("step", "heart-attack", 1000.0, "d" * 64, run_id="r", step_key="s", attempt=1)
LOCATION = Capability("location", "heart-attack", 1000.0, "d" * 64)
WAITING = Capability("waiting", "heart-attack", 1000.0, "d" * 64, pod="warm-1")


@pytest.mark.parametrize("capability", [STEP, LOCATION, WAITING])
def test_claims_come_back_as_the_capability_they_were(capability: Capability) -> None:
    """Otherwise a step is given another's rights, or none."""
    claims = {**capability.to_claims(), "aud": "somebody", "exp": 1}
    assert Capability.from_claims(claims) == capability


def test_it_is_over_at_its_time_and_not_before() -> None:
    """Otherwise a capability that leaks is good for ever, or one that is needed is not."""
    assert not STEP.is_expired(999.9)
    assert STEP.is_expired(1000.0)


@pytest.mark.parametrize(
    ("capability", "changes"),
    [
        (STEP, {"kind": "node"}),
        (STEP, {"kind": "location"}),
        (STEP, {"run_id": None}),
        (STEP, {"step_key": None}),
        (STEP, {"attempt": None}),
        (LOCATION, {"kind": "step"}),
        (LOCATION, {"run_id": "r"}),
        (LOCATION, {"pod": "warm-1"}),
        (LOCATION, {"kind": "waiting"}),
        (STEP, {"pod": "warm-1"}),
        (WAITING, {"pod": None}),
        (WAITING, {"kind": "location"}),
        (WAITING, {"run_id": "r"}),
        (WAITING, {"kind": "step"}),
    ],
)
def test_claims_that_fit_no_kind_are_refused(capability: Capability, changes: dict[str, Any]) -> None:
    """Otherwise a location's capability speaks for a step, or a step's for a whole project."""
    with pytest.raises(RefusedError):
        Capability.from_claims({**capability.to_claims(), **changes})


@pytest.mark.parametrize("claim", ["kind", "project", "expires_at", "code_digest"])
def test_a_missing_claim_is_refused(claim: str) -> None:
    """Otherwise a capability without a project or an end is one for all of them."""
    claims = STEP.to_claims()
    del claims[claim]
    with pytest.raises(RefusedError, match="lacks a claim"):
        Capability.from_claims(claims)
