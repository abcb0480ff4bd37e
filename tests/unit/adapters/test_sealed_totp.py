"""Secrets of second factors: a copy of the database computes no code, and no row opens in another's place."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from phems.adapters.sealed_totp import SealedTotp
from phems.errors import IntegrityError

KEY = AESGCM.generate_key(256)


def keeper(key: bytes = KEY) -> SealedTotp:
    return SealedTotp(lambda: key, "St Mary")


def test_the_codes_are_those_of_the_app_that_reads_the_picture() -> None:
    sealed = keeper().new("ada")
    shared = keeper().shared(sealed, "ada")
    address = urlsplit(shared.address)
    assert (address.scheme, address.netloc, unquote(address.path)) == ("otpauth", "totp", "/St Mary:ada")
    told = parse_qs(address.query)
    assert (told["secret"], told["issuer"]) == ([shared.text], ["St Mary"])
    app = pyotp.parse_uri(shared.address)
    assert isinstance(app, pyotp.TOTP)
    for step in (1, 59_000_000):
        assert keeper().code(sealed, "ada", step) == app.at(step * 30)


def test_what_is_stored_does_not_show_the_secret_and_differs_each_time() -> None:
    sealed = keeper().new("ada")
    secret = keeper().shared(sealed, "ada").text
    assert secret.encode() not in base64.b64decode(sealed)
    assert base64.b32decode(secret) not in base64.b64decode(sealed)
    assert len(base64.b32decode(secret)) * 8 >= 160
    assert sealed != keeper().new("ada")


@pytest.mark.parametrize("how", ["another user's row", "another key", "changed", "no base64", "too short"])
def test_a_secret_that_is_not_as_it_was_opens_nothing_and_says_what_to_do(how: str) -> None:
    """Whoever can write to the database must not be able to put their own secret into somebody's row."""
    sealed = keeper().new("ada")
    raw = base64.b64decode(sealed)
    name, key, stored = {
        "another user's row": ("eve", KEY, sealed),
        "another key": ("ada", AESGCM.generate_key(256), sealed),
        "changed": ("ada", KEY, base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()),
        "no base64": ("ada", KEY, "*"),
        "too short": ("ada", KEY, "AAAA"),
    }[how]
    with pytest.raises(IntegrityError, match="cannot be opened") as refused:
        keeper(key).code(stored, name, 1)
    assert refused.value.remedy.endswith(f"phems user reset-second-factor {name}")
