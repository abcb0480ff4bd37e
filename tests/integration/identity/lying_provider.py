"""A provider that says whatever a test has it say: tokens forged in every way, keys that change, nonsense."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from phems.adapters.oidc.provider import OidcProvider
from phems.nodespec.identity import Oidc
from phems.services.ports.identity_provider import Challenge

CHALLENGE = Challenge("http://127.0.0.1/back", "the-state", "the-nonce", "v" * 43)


@dataclass
class LyingProvider:
    """What it answers; change it, then ask."""

    issuer: str
    key: RSAKey | ECKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    documents: dict[str, Any] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    def client(self) -> OidcProvider:
        """The node's side of it."""
        return OidcProvider(
            Oidc(issuer=self.issuer, client_id="phems", client_secret="env:NONE"), lambda: "a secret"
        )

    def claims(self, **other: Any) -> dict[str, Any]:
        """What a good token says, with what a test has it say instead."""
        now = int(time.time())
        good = {
            "iss": self.issuer,
            "aud": "phems",
            "sub": "s-ana",
            "iat": now,
            "exp": now + 300,
            "nonce": CHALLENGE.nonce,
            "preferred_username": "ana",
            "groups": ["research"],
        }
        return {name: value for name, value in {**good, **other}.items() if value is not None}

    def signed(self, claims: dict[str, Any], *, alg: str = "RS256", key: Any = None) -> str:
        """A token with the provider's key, or another."""
        signer = key or self.key
        return jwt.encode({"alg": alg, "kid": signer.kid}, claims, signer, algorithms=[alg])

    def answers(self, token: str) -> None:
        """Have the token endpoint give this ID token."""
        self.documents["/token"] = {"access_token": "x", "token_type": "Bearer", "id_token": token}

    def publish(self) -> None:
        """Have its documents fit its issuer and key."""
        self.documents |= {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            },
            "/keys": {"keys": [self.key.as_dict(private=False)]},
        }


def unsigned(claims: dict[str, Any]) -> str:
    """A token with alg=none."""
    head, body = (_part(part) for part in ({"alg": "none", "typ": "JWT"}, claims))
    return f"{head}.{body}."


def signed_with_public_key(provider: LyingProvider) -> str:
    """The classic: the public key, as everybody has it, taken for a shared secret."""
    signed = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(provider.claims())}"
    mac = hmac.new(provider.key.as_pem(private=False), signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(mac.digest()).decode().rstrip('=')}"


@contextmanager
def lying_provider() -> Iterator[LyingProvider]:
    """It listens until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said.asked[self.path] += 1
            body = said.documents.get(self.path)
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    said = LyingProvider(f"http://127.0.0.1:{server.server_address[1]}")
    said.publish()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield said
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
