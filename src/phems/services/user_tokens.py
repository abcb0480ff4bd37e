"""API tokens: made with a scope and an end, listed, revoked, and taken for the user they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from phems.domain import sign_in
from phems.domain.actors import Actor
from phems.domain.authority import EVERYTHING, Authority, TokenScope
from phems.errors import InputError, NotFoundError
from phems.services.accounts import Secret, existing, hash_secret, refused
from phems.services.oidc_sign_ins import OidcSignIns
from phems.services.ports.users import ApiToken


class UserTokens(OidcSignIns):
    """The use cases around tokens. Who may make and revoke whose is the caller's to check."""

    def issue_token(
        self,
        actor: Actor,
        name: str,
        *,
        lifetime: timedelta = sign_in.TOKEN_LIFETIME,
        label: str = "",
        scope: TokenScope = EVERYTHING,
    ) -> Secret:
        """A new API token for a user."""
        if lifetime <= timedelta(0):
            raise InputError("The token would be expired.", why=f"its lifetime is {lifetime}.")
        label = sign_in.check_label(label)
        now = self._clock.now()
        token = self._new_secret(name, now + lifetime)
        made = ApiToken(
            secret_hash=token.hashed,
            user_name=name,
            created_at=now,
            expires_at=token.expires_at,
            created_by=actor.name,
            label=label,
            scope=scope,
        )
        with self._governance.transaction() as tx:
            existing(tx, name)
            tx.users.add_token(made)
            details = {
                "id": made.id,
                "label": label,
                "expires_at": token.expires_at.isoformat(),
                "projects": None if scope.projects is None else sorted(scope.projects),
                "verbs": None if scope.verbs is None else sorted(scope.verbs),
            }
            tx.audit.append(actor, "user.issue_token", name, details=details)
        return token

    def list_tokens(self, name: str) -> Sequence[ApiToken]:
        """A user's tokens that let somebody in, newest first."""
        now = self._clock.now()
        with self._governance.transaction() as tx:
            existing(tx, name)
            return [token for token in tx.users.tokens_of(name) if token.expires_at > now]

    def revoke_token(self, actor: Actor, name: str, token_id: str) -> ApiToken:
        """End a token: it lets nobody in from now on."""
        with self._governance.transaction() as tx:
            existing(tx, name)
            found = next((token for token in tx.users.tokens_of(name) if token.id == token_id), None)
            if found is None or not tx.users.revoke_token(found.secret_hash, self._clock.now()):
                raise NotFoundError(
                    f"{name} has no token {token_id!r} that is not ended.",
                    remedy=f"phems user tokens {name}",
                )
            details = {"id": found.id, "label": found.label}
            tx.audit.append(actor, "user.revoke_token", name, details=details)
        return found

    def authenticate_token(self, token: str) -> Authority:
        """Whom an API token stands for, and within which scope."""
        now = self._clock.now()
        with self._governance.transaction() as tx:
            grant = tx.users.token(hash_secret(token)) if token.startswith(sign_in.TOKEN_PREFIX) else None
            user = self._whom(tx, grant)
            if user is None or grant is None:
                raise refused("the token is unknown, expired or revoked.")
            if grant.last_used_at is None or now - grant.last_used_at >= sign_in.SEEN_EVERY:
                tx.users.token_used(grant.secret_hash, now)
            groups = self.groups_of(user)
            return Authority(Actor(user.name), groups=groups, scope=grant.scope, id=grant.id)
