"""The authorization code flow with PKCE against one provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from phems.adapters.oidc.id_token import Expected, checked_claims, refused_token
from phems.adapters.oidc.metadata import TIMEOUT_SECONDS, ProviderMetadata, provider_unavailable
from phems.domain.sign_in import printable
from phems.nodespec.identity import Oidc
from phems.services.ports.identity_provider import Challenge

JSON = {"Accept": "application/json"}


class OidcProvider:
    """`IdentityProvider` by OpenID Connect. Blocks; safe to use from several threads."""

    def __init__(self, settings: Oidc, secret: Callable[[], str | None]) -> None:
        self._settings = settings
        self._secret = secret
        self._metadata = ProviderMetadata(settings.issuer)

    @property
    def issuer(self) -> str:
        """Whose word it is."""
        return self._settings.issuer

    def address(self, challenge: Challenge) -> str:
        """Where to send the browser."""
        return str(
            prepare_grant_uri(
                str(self._metadata.document()["authorization_endpoint"]),
                client_id=self._settings.client_id,
                response_type="code",
                redirect_uri=challenge.redirect_uri,
                scope=" ".join(self._settings.scopes),
                state=challenge.state,
                nonce=challenge.nonce,
                code_challenge=create_s256_code_challenge(challenge.verifier),
                code_challenge_method="S256",
            )
        )

    def claims(self, challenge: Challenge, code: str, issuer: str | None) -> Mapping[str, Any]:
        """What the provider says of who has signed in."""
        document = self._metadata.document()
        if issuer is None and document.get("authorization_response_iss_parameter_supported") is True:
            raise refused_token("the answer does not say which provider it is of.")
        if issuer is not None and issuer != self.issuer:
            raise refused_token("the answer is of another provider.")
        token = self._token(document, code, challenge)
        expected = Expected(self.issuer, self._settings.client_id, challenge.nonce)
        claims = checked_claims(str(token.get("id_token", "")), expected, self._metadata)
        wanted = {self._settings.name_claim, self._settings.groups_claim}
        endpoint = document.get("userinfo_endpoint")
        if wanted <= claims.keys() or not isinstance(endpoint, str):
            return claims
        return {**self._userinfo(endpoint, str(token.get("access_token", "")), claims["sub"]), **claims}

    def _token(self, document: Mapping[str, Any], code: str, challenge: Challenge) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": challenge.redirect_uri,
            "code_verifier": challenge.verifier,
        }
        auth, client_id, secret = None, self._settings.client_id, self._secret()
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret is None:
            form["client_id"] = client_id
        elif "client_secret_basic" in methods:
            # RFC 6749 2.3.1: both are form-encoded before they are joined.
            auth = httpx.BasicAuth(quote(client_id, safe=""), quote(secret, safe=""))
        else:
            form |= {"client_id": client_id, "client_secret": secret}
        endpoint = str(document["token_endpoint"])
        try:
            answer = httpx.post(endpoint, data=form, auth=auth, timeout=TIMEOUT_SECONDS, headers=JSON)
            found = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._unavailable(endpoint, error) from error
        if isinstance(found, dict) and isinstance(found.get("error"), str):
            raise refused_token(f"it does not accept the code: {printable(found['error'])}.")
        if not isinstance(found, dict) or not answer.is_success:
            raise self._unavailable(endpoint, ValueError(f"status {answer.status_code}"))
        return found

    def _userinfo(self, endpoint: str, access_token: str, subject: str) -> Mapping[str, Any]:
        headers = {**JSON, "Authorization": f"Bearer {access_token}"}
        try:
            answer = httpx.get(endpoint, timeout=TIMEOUT_SECONDS, headers=headers)
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._unavailable(endpoint, error) from error
        if not isinstance(found, dict) or found.get("sub") != subject:
            raise refused_token("its further words are about somebody else.")
        return found

    def _unavailable(self, endpoint: str, error: Exception) -> Exception:
        why = f"{endpoint} does not answer as it should: {str(error) or type(error).__name__}."
        return provider_unavailable(self.issuer, why)
