"""Tokens of federation coordinators: making and revoking them, and knowing who comes with one.

As with users' tokens, 256 random bits are shown once and stored as SHA-256. Who may make them is the caller's
to check (`user.manage`). Which projects a coordinator sees is asked of the node spec each time, so that a
coordinator who is taken out of it sees nothing from that moment on, whatever tokens it holds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phems.domain.actors import Actor
from phems.domain.coordinators import (
    COORDINATOR_TOKEN_PREFIX,
    check_lifetime,
    check_named,
    coordinator_actor,
    projects_of,
)
from phems.errors import NotFoundError
from phems.services.ports import Governance
from phems.services.ports.clock import Clock
from phems.services.ports.coordinators import CoordinatorToken
from phems.services.users import Secret, hash_secret

LIFETIME = timedelta(days=90)

NamedCoordinators = Callable[[], Mapping[str, Collection[str]]]
"""The coordinators that the node spec of this moment names, by project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorSummary:
    """A coordinator, its projects, and how it gets in."""

    name: str
    projects: tuple[str, ...]
    open_tokens: int
    expires_at: datetime | None
    """When the last of its open tokens ends."""


class Coordinators:
    """The use cases around coordinators."""

    def __init__(self, governance: Governance, named: NamedCoordinators, clock: Clock) -> None:
        self._governance = governance
        self._named = named
        self._clock = clock

    def list(self) -> Sequence[CoordinatorSummary]:
        """Every coordinator that the node spec names, and every other with an open token, by name."""
        now = self._clock.now()
        with self._governance.transaction() as tx:
            tokens = [token for token in tx.coordinators.tokens() if token.is_open(now)]
        named = self._named()
        names = {name for found in named.values() for name in found} | {token.coordinator for token in tokens}
        return [_summary(name, named, tokens) for name in sorted(names)]

    def issue_token(self, actor: Actor, name: str, *, lifetime: timedelta = LIFETIME) -> Secret:
        """A new token for a coordinator that the node spec names."""
        check_lifetime(lifetime)
        projects = check_named(name, self._named())
        now = self._clock.now()
        made = Secret(COORDINATOR_TOKEN_PREFIX + secrets.token_urlsafe(32), name, now + lifetime)
        with self._governance.transaction() as tx:
            tx.coordinators.add_token(
                CoordinatorToken(
                    secret_hash=hash_secret(made.secret),
                    coordinator=name,
                    created_at=now,
                    created_by=actor.name,
                    expires_at=made.expires_at,
                )
            )
            details = {"expires_at": made.expires_at.isoformat(), "projects": sorted(projects)}
            tx.audit.append(actor, "coordinator.token", name, details=details)
        return made

    def revoke(self, actor: Actor, name: str) -> int:
        """End every token of a coordinator; how many there were."""
        with self._governance.transaction() as tx:
            ended = tx.coordinators.revoke_tokens_of(name, self._clock.now())
            if not ended:
                raise NotFoundError(
                    f"The coordinator {name!r} has no token that is not ended.",
                    remedy="phems coordinator list",
                )
            tx.audit.append(actor, "coordinator.revoke", name, details={"tokens_ended": ended})
        return ended

    def authenticate(self, token: str) -> Actor | None:
        """Who comes with a token; None when it is unknown or ended, or its coordinator named no more."""
        if not token.startswith(COORDINATOR_TOKEN_PREFIX):
            return None
        with self._governance.transaction() as tx:
            found = tx.coordinators.token(hash_secret(token))
        if found is None or not found.is_open(self._clock.now()):
            return None
        return coordinator_actor(found.coordinator) if self.projects(found.coordinator) else None

    def projects(self, name: str) -> frozenset[str]:
        """The projects whose released packages the coordinator is handed, as of now."""
        return projects_of(name, self._named())


def _summary(
    name: str, named: Mapping[str, Collection[str]], tokens: Sequence[CoordinatorToken]
) -> CoordinatorSummary:
    ends = [token.expires_at for token in tokens if token.coordinator == name]
    return CoordinatorSummary(
        name=name,
        projects=tuple(sorted(projects_of(name, named))),
        open_tokens=len(ends),
        expires_at=max(ends, default=None),
    )
