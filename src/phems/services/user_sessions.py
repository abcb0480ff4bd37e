"""Sessions of the gateway: opened at sign-in, ended by hand, by time, or by not being used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from phems.domain import sign_in
from phems.domain.actors import Actor
from phems.domain.authority import Authority
from phems.errors import NotFoundError
from phems.services.accounts import Accounts, Secret, existing, hash_secret
from phems.services.oidc_sign_ins import PURPOSE as OIDC
from phems.services.ports.users import Session, User

LONGEST_AGENT = 200


@dataclass(frozen=True, slots=True)
class Client:
    """From where somebody signs in, as far as the gateway can tell."""

    address: str = ""
    agent: str = ""


class UserSessions(Accounts):
    """The use cases around sessions."""

    def open_session(
        self,
        actor: Actor,
        client: Client = Client(),
        *,
        method: str = "password",
        groups: Collection[str] = (),
    ) -> Secret:
        """A session for a user who has just signed in."""
        now = self._clock.now()
        secret = self._new_secret(actor.name, now + timedelta(hours=self._identity().sessions.hours))
        session = Session(
            secret_hash=secret.hashed,
            user_name=actor.name,
            created_at=now,
            expires_at=secret.expires_at,
            last_seen_at=now,
            method=method,
            groups=tuple(sorted(groups)),
            address=client.address,
            agent=client.agent[:LONGEST_AGENT],
        )
        with self._governance.transaction() as tx:
            tx.users.add_session(session)
            details = {"id": session.id, "method": method, "address": client.address}
            tx.audit.append(actor, "session.open", actor.name, details=details)
        return secret

    def session_user(self, session: str) -> Authority | None:
        """Whose session it is; None when it is unknown, ended, or was not used for too long."""
        now = self._clock.now()
        with self._governance.transaction() as tx:
            found = tx.users.session(hash_secret(session))
            user = self._whom(tx, found)
            if user is None or found is None or not self._is_open(found) or not self._is_a_way(user, found):
                return None
            if now - found.last_seen_at >= sign_in.SEEN_EVERY:
                tx.users.session_seen(found.secret_hash, now)
            groups = frozenset(found.groups)
            must_enrol = found.method != OIDC and self._must_enrol(user)
            return Authority(
                Actor(user.name), kind="session", groups=groups, id=found.id, must_enrol=must_enrol
            )

    def list_sessions(self, name: str) -> Sequence[Session]:
        """A user's sessions that are still open, newest first."""
        with self._governance.transaction() as tx:
            existing(tx, name)
            return [session for session in tx.users.sessions_of(name) if self._is_open(session)]

    def end_session(self, actor: Actor, name: str, session_id: str) -> None:
        """End one session of a user."""
        with self._governance.transaction() as tx:
            existing(tx, name)
            found = next(
                (session for session in tx.users.sessions_of(name) if session.id == session_id), None
            )
            if found is None or not tx.users.revoke_session(found.secret_hash, self._clock.now()):
                raise NotFoundError(
                    f"{name} has no open session {session_id!r}.", remedy=f"phems user sessions {name}"
                )
            tx.audit.append(actor, "session.close", name, details={"id": session_id})

    def end_sessions(self, actor: Actor, name: str) -> int:
        """Sign a user out everywhere; how many sessions that ended."""
        with self._governance.transaction() as tx:
            existing(tx, name)
            ended = tx.users.revoke_sessions_of(name, self._clock.now())
            tx.audit.append(actor, "session.close_all", name, details={"sessions_ended": ended})
        return ended

    def close_session(self, session: str) -> None:
        """Sign out. Nothing happens when the session is not open."""
        hashed = hash_secret(session)
        with self._governance.transaction() as tx:
            found = tx.users.session(hashed)
            if found is not None and tx.users.revoke_session(hashed, self._clock.now()):
                details = {"id": found.id}
                tx.audit.append(Actor(found.user_name), "session.close", found.user_name, details=details)

    def _is_a_way(self, user: User, session: Session) -> bool:
        """Whether people may sign in as it was done then: node.yaml may say otherwise by now."""
        identity = self._identity()
        if session.method != OIDC:
            return identity.local
        return identity.oidc is not None and identity.oidc.issuer == user.issuer

    def _is_open(self, session: Session) -> bool:
        now, idle = self._clock.now(), timedelta(minutes=self._identity().sessions.idle_minutes)
        return session.expires_at > now and now - session.last_seen_at < idle
