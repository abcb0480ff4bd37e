"""What a provider says of itself: its discovery document and its keys, both kept for a while.

A key that is not known has the keys asked for anew, at most every few seconds: providers change their keys,
and whoever sends made-up key ids must not make the node a burden on them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from phems.errors import UnavailableError

DISCOVERY = "/.well-known/openid-configuration"
KEPT_SECONDS = 3600.0
KEYS_AGAIN_SECONDS = 5.0
TIMEOUT_SECONDS = 10.0
NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderMetadata:
    """The discovery document and the keys of one issuer. Safe to use from several threads."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._lock = threading.Lock()
        self._document: Mapping[str, Any] | None = None
        self._document_at = 0.0
        self._keys: KeySet | None = None
        self._keys_at = 0.0

    def document(self) -> Mapping[str, Any]:
        """The discovery document; UnavailableError when there is none to be had."""
        with self._lock:
            if self._document is None or time.monotonic() - self._document_at > KEPT_SECONDS:
                self._document = self._discovered()
                self._document_at = time.monotonic()
            return self._document

    def keys(self, *, wanted: str | None) -> KeySet:
        """The provider's keys, asked for anew when the one that is wanted is not among those known."""
        address = str(self.document()["jwks_uri"])
        with self._lock:
            age = time.monotonic() - self._keys_at
            known = self._keys
            missing = known is not None and wanted is not None and not _has(known, wanted)
            if known is None or age > KEPT_SECONDS or (missing and age > KEYS_AGAIN_SECONDS):
                known = self._fetched_keys(address)
                self._keys, self._keys_at = known, time.monotonic()
            return known

    def _discovered(self) -> Mapping[str, Any]:
        found = self._json(self._issuer.rstrip("/") + DISCOVERY)
        lacking = [name for name in NEEDED if not isinstance(found.get(name), str)]
        if lacking:
            raise self._unavailable(f"its discovery document has no {lacking[0]}.")
        if found["issuer"] != self._issuer:
            raise self._unavailable(f"it calls itself {str(found['issuer'])[:200]}.")
        return found

    def _fetched_keys(self, address: str) -> KeySet:
        listed = self._json(address).get("keys")
        if not isinstance(listed, list) or not all(isinstance(key, dict) for key in listed):
            raise self._unavailable("its keys are no list of keys.")
        try:
            return KeySet.import_key_set({"keys": listed})
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise self._unavailable("its keys cannot be read.") from error

    def _json(self, address: str) -> Mapping[str, Any]:
        try:
            answer = httpx.get(address, timeout=TIMEOUT_SECONDS, headers={"Accept": "application/json"})
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._unavailable(f"{address} does not answer: {error or type(error).__name__}.") from error
        if not isinstance(found, dict):
            raise self._unavailable(f"{address} does not answer with a JSON object.")
        return found

    def _unavailable(self, why: str) -> UnavailableError:
        return provider_unavailable(self._issuer, why)


def provider_unavailable(issuer: str, why: str) -> UnavailableError:
    """The error for a provider that cannot be used at the moment."""
    return UnavailableError(
        f"The identity provider {issuer} cannot be used at the moment.",
        why=why,
        remedy="Try again later. An operator compares identity.oidc in node.yaml with the provider.",
    )


def _has(keys: KeySet, key_id: str) -> bool:
    return any(key.kid == key_id for key in keys.keys)
