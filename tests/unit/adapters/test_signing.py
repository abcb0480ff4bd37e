"""Keys in files: made once, kept closed, and a signature that only its own key and bytes match."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.adapters.signing import load_key, load_or_create_key, load_public_key, signature_matches
from phems.errors import InputError, UnavailableError


def test_a_key_is_made_once_and_its_private_half_is_closed_to_others(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    first, again = load_or_create_key(keys, "audit"), load_or_create_key(keys, "audit")
    assert first.public_key == again.public_key == load_public_key(keys / "audit.pub.pem")
    assert first.key_id == again.key_id
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert stat.S_IMODE((keys / "audit.pem").stat().st_mode) == 0o600
    assert load_or_create_key(keys, "capability").key_id != first.key_id


@given(st.binary(), st.binary())
def test_a_signature_matches_its_bytes_and_no_others(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, other: bytes
) -> None:
    key = load_or_create_key(tmp_path_factory.getbasetemp() / "signing-keys", "audit")
    signature = key.sign(data)
    assert signature_matches(key.public_key, data, signature)
    assert signature_matches(key.public_key, other, signature) == (data == other)


@pytest.mark.parametrize("signature", ["", "not base64!", "AAAA", "é"])
def test_what_is_no_signature_matches_nothing_and_breaks_nothing(tmp_path: Path, signature: str) -> None:
    key = load_or_create_key(tmp_path, "audit")
    assert not signature_matches(key.public_key, b"data", signature)
    assert not signature_matches(signature, b"data", key.sign(b"data"))


def test_a_lost_or_damaged_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"audit\.pem"):
        load_key(tmp_path / "audit.pem")
    (tmp_path / "audit.pem").write_text("damaged")
    with pytest.raises(UnavailableError, match=r"audit\.pem"):
        load_or_create_key(tmp_path, "audit")
    with pytest.raises(InputError, match="not a public key"):
        load_public_key(tmp_path / "audit.pem")
