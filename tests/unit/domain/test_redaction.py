"""Secrets are taken out of what is logged, by their shape or because the node knows them; words are left."""

from __future__ import annotations

import base64

import pytest

from phems.domain.redaction import REDACTED, Redaction

TOKEN = "phems_" + base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"asked with {TOKEN}.", f"asked with {REDACTED}."),
        ("a capability eyJhbGciOiJI.eyJwcm9qZWN0.c2lnbmF0dXJl here", f"a capability {REDACTED} here"),
        ("Authorization: Bearer abcdefgh12345678", f"Authorization: Bearer {REDACTED}"),
        ("authorization: basic YW5hOnNlY3JldA==", f"authorization: basic {REDACTED}"),
        ("postgresql://phems:s3cret@db:5432/node", f"postgresql://phems:{REDACTED}@db:5432/node"),
        ("GET https://node/api?patient=Smith&x=1 failed", f"GET https://node/api?{REDACTED} failed"),
        ("password=correct-horse in it", f"password={REDACTED} in it"),
        ('{"client_secret": "abcd1234"}', f'{{"client_secret": "{REDACTED}"}}'),
        ("phems_session=abcdef0123; Path=/", f"phems_session={REDACTED}; Path=/"),
        (f"the key {KEY} is", f"the key {REDACTED} is"),
        ("cut off -----BEGIN EC PRIVATE KEY-----\nMC4C", f"cut off {REDACTED}"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, left: str) -> None:
    """The log goes to more people, and to more machines, than any secret of the node."""
    assert Redaction()(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "the thread phems-publisher ended",
        "phems_release_requests_oldest_seconds could not be read",
        "run 3f1c2f9e-5f6a-4b8e-9c57-2f8f6f0f2a51 met trouble",
        "is a worker there? nobody knows",
        "a token has expired",
    ],
)
def test_words_are_left(text: str) -> None:
    assert Redaction(["short"])(text) == text


def test_the_nodes_own_secrets_are_taken_out_the_longest_first() -> None:
    redaction = Redaction(["hospital-1"])
    redaction.know(["hospital-1-of-the-broker", ""])
    assert redaction("as hospital-1-of-the-broker or hospital-1") == f"as {REDACTED} or {REDACTED}"
