"""13: a token that somebody made up, or that is old, or for another: nobody is let in by it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from tests.integration.identity.lying_provider import (
    CHALLENGE,
    LyingProvider,
    lying_provider,
    signed_with_public_key,
    unsigned,
)

from phems.errors import RefusedError, UnavailableError

pytestmark = pytest.mark.attack

Forge = Callable[[LyingProvider], str]
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"})

FORGED: dict[str, Forge] = {
    "alg=none": lambda provider: unsigned(provider.claims()),
    "the public key as a shared secret": signed_with_public_key,
    "another key with the same id": lambda provider: provider.signed(provider.claims(), key=OTHER_KEY),
    "expired": lambda provider: provider.signed(provider.claims(exp=int(time.time()) - 120)),
    "without an end": lambda provider: provider.signed(provider.claims(exp=None)),
    "from the future": lambda provider: provider.signed(provider.claims(iat=int(time.time()) + 600)),
    "another audience": lambda provider: provider.signed(provider.claims(aud="another-client")),
    "several audiences, another party": lambda provider: provider.signed(
        provider.claims(aud=["phems", "other"], azp="other")
    ),
    "another issuer": lambda provider: provider.signed(provider.claims(iss="https://evil.example")),
    "another sign-in's nonce": lambda provider: provider.signed(provider.claims(nonce="another")),
    "without a nonce": lambda provider: provider.signed(provider.claims(nonce=None)),
    "nobody's": lambda provider: provider.signed(provider.claims(sub=None)),
    "changed after signing": lambda provider: _changed(provider.signed(provider.claims())),
    "no token": lambda _provider: "nonsense",
    "nothing": lambda _provider: "",
}


@pytest.fixture
def provider() -> Iterator[LyingProvider]:
    """A provider that can be had to say anything."""
    with lying_provider() as started:
        yield started


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_word_of_the_provider_is_refused(provider: LyingProvider, how: str) -> None:
    provider.answers(FORGED[how](provider))
    with pytest.raises(RefusedError, match="is not accepted") as refused:
        provider.client().claims(CHALLENGE, "code", None)
    assert "eyJ" not in str(refused.value)


def test_a_good_word_of_the_same_provider_is_accepted(provider: LyingProvider) -> None:
    """Otherwise the refusals above would say nothing."""
    provider.answers(provider.signed(provider.claims()))
    assert provider.client().claims(CHALLENGE, "code", None)["sub"] == "s-ana"


def test_an_answer_of_another_provider_is_refused(provider: LyingProvider) -> None:
    """Mix-up: a second provider hands the code of the first to the node."""
    provider.answers(provider.signed(provider.claims()))
    with pytest.raises(RefusedError, match="is not accepted"):
        provider.client().claims(CHALLENGE, "code", "https://evil.example")
    provider.documents["/.well-known/openid-configuration"] |= {
        "authorization_response_iss_parameter_supported": True
    }
    with pytest.raises(RefusedError, match="is not accepted"):
        provider.client().claims(CHALLENGE, "code", None)


def test_further_words_about_somebody_else_are_refused(provider: LyingProvider) -> None:
    provider.documents["/.well-known/openid-configuration"] |= {
        "userinfo_endpoint": f"{provider.issuer}/userinfo"
    }
    provider.documents["/userinfo"] = {"sub": "s-olga", "groups": ["operators"]}
    provider.answers(provider.signed(provider.claims(groups=None)))
    with pytest.raises(RefusedError, match="is not accepted"):
        provider.client().claims(CHALLENGE, "code", None)


def test_keys_are_kept_and_asked_for_anew_when_they_change(
    provider: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Providers change their keys without telling; and made-up key ids must not make them busy."""
    client = provider.client()
    for _ in range(3):
        provider.answers(provider.signed(provider.claims()))
        client.claims(CHALLENGE, "code", None)
    assert (provider.asked["/keys"], provider.asked["/.well-known/openid-configuration"]) == (1, 1)
    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    provider.publish()
    provider.answers(provider.signed(provider.claims()))
    with pytest.raises(RefusedError):  # within seconds of the last time, it is not asked again
        client.claims(CHALLENGE, "code", None)
    monkeypatch.setattr("phems.adapters.oidc.metadata.KEYS_AGAIN_SECONDS", -1.0)
    assert client.claims(CHALLENGE, "code", None)["sub"] == "s-ana"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/.well-known/openid-configuration", None),
        ("/.well-known/openid-configuration", b"<html>"),
        ("/.well-known/openid-configuration", {"issuer": "https://evil.example"}),
        ("/keys", b"<html>"),
        ("/keys", {"keys": "none"}),
        ("/token", b"<html>"),
        ("/token", None),
    ],
)
def test_a_provider_that_talks_nonsense_is_told_as_away(
    provider: LyingProvider, path: str, answer: Any
) -> None:
    """Somebody at the door must read whom to ask, and not a stack trace."""
    provider.answers(provider.signed(provider.claims()))
    provider.documents[path] = answer
    with pytest.raises(UnavailableError, match="cannot be used at the moment"):
        provider.client().claims(CHALLENGE, "code", None)


def _changed(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body[:-4]}AAAA.{signature}"
