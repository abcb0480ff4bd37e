"""Capabilities: only this node's key makes one, for one purpose, until its time is up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from phems.contract.capability import Capability
from phems.engine.capabilities import CapabilityAuthority
from phems.errors import RefusedError

KEY = b"k" * 32
NOW = 1_000_000.0
CAPABILITY = Capability("step", "heart-attack", NOW + 60, "d" * 64, run_id="r", step_key="s", attempt=1)


def authority(now: float = NOW, key: bytes = KEY) -> CapabilityAuthority:
    return CapabilityAuthority(key, lambda: now)


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(header: dict[str, Any], claims: dict[str, Any], key: bytes = KEY, kind: str = "sha256") -> str:
    body = f"{part(header)}.{part(claims)}"
    signature = hmac.new(key, body.encode(), getattr(hashlib, kind)).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


GOOD_CLAIMS = {**CAPABILITY.to_claims(), "aud": "phems-storage", "exp": int(NOW) + 61}
HS256 = {"alg": "HS256", "typ": "JWT"}


def test_what_was_issued_is_verified_until_its_time_is_up() -> None:
    """Otherwise no step can speak, or one speaks for ever."""
    token = authority().issue(CAPABILITY)
    assert authority(NOW + 59.9).verify(token) == CAPABILITY
    with pytest.raises(RefusedError, match="expired"):
        authority(NOW + 60).verify(token)


def test_a_token_made_by_hand_with_the_right_key_is_accepted() -> None:
    """Otherwise the refusals below may refuse for another reason than the one that they name."""
    assert authority().verify(signed(HS256, GOOD_CLAIMS)) == CAPABILITY


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(HS256, GOOD_CLAIMS, key=b"x" * 32), id="another key"),
        pytest.param(signed({"alg": "none"}, GOOD_CLAIMS), id="alg none with a signature"),
        pytest.param(f"{part({'alg': 'none'})}.{part(GOOD_CLAIMS)}.", id="alg none"),
        pytest.param(signed({"alg": "HS512"}, GOOD_CLAIMS, kind="sha512"), id="another algorithm"),
        pytest.param(signed({"typ": "JWT"}, GOOD_CLAIMS), id="no algorithm"),
        pytest.param(signed({**HS256, "crit": ["x"], "x": 1}, GOOD_CLAIMS), id="critical header"),
        pytest.param(signed(HS256, {**GOOD_CLAIMS, "aud": "phems-gateway"}), id="wrong audience"),
        pytest.param(signed(HS256, {**GOOD_CLAIMS, "aud": ["phems-storage", "x"]}), id="two audiences"),
        pytest.param(signed(HS256, {k: v for k, v in GOOD_CLAIMS.items() if k != "aud"}), id="no audience"),
        pytest.param(signed(HS256, {**GOOD_CLAIMS, "expires_at": NOW - 1}), id="expired"),
        pytest.param(signed(HS256, {**GOOD_CLAIMS, "kind": "node"}), id="another kind"),
        pytest.param(signed(HS256, {**GOOD_CLAIMS, "run_id": None}), id="a step without a run"),
        pytest.param(signed(HS256, GOOD_CLAIMS)[:-4] + "AAAA", id="changed signature"),
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="no token"),
        pytest.param("ä" * 40, id="no ASCII"),
        pytest.param("." * 100, id="dots"),
    ],
)
def test_everything_else_is_refused(token: str) -> None:
    """Attack 13, at the wall: otherwise project code writes its own rights."""
    with pytest.raises(RefusedError):
        authority().verify(token)


def test_claims_that_were_changed_break_the_signature() -> None:
    """Otherwise a step becomes another run's by editing its token."""
    header, _claims, signature = authority().issue(CAPABILITY).split(".")
    forged = part({**GOOD_CLAIMS, "run_id": "another"})
    with pytest.raises(RefusedError, match="not one of this node"):
        authority().verify(f"{header}.{forged}.{signature}")
