"""Second factors of local users: set up, confirmed by a first code, and taken away by an operator.

Only local users with a password have one: of an identity provider's people, the provider asks what it wants.
Signing in with one, and giving it up, stand in `phems.services.password_sign_ins`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from phems.domain import second_factor
from phems.domain.actors import Actor
from phems.domain.second_factor import CodeKind, SecondFactor
from phems.errors import InputError, NotFoundError, RefusedError
from phems.services.accounts import Accounts, existing, hash_secret
from phems.services.ports import Transaction
from phems.services.ports.second_factors import SharedSecret


@dataclass(frozen=True, slots=True)
class SecondFactorState:
    """How it stands with a user's second factor."""

    possible: bool
    """Whether they sign in with a password of this node."""
    required: bool
    is_on: bool
    recovery_codes_left: int
    shared: SharedSecret | None
    """What their app is to be told, while it waits for the first code."""


class SecondFactors(Accounts):
    """The use cases around second factors. Each is about the one who acts, but for the reset."""

    def second_factor(self, name: str) -> SecondFactorState:
        """How it stands with a user's second factor."""
        with self._governance.transaction() as tx:
            user, factor = existing(tx, name), tx.second_factors.get(name)
            left = tx.second_factors.recovery_codes_left(name)
        waits = factor is not None and factor.confirmed_at is None
        return SecondFactorState(
            possible=user.password_hash is not None,
            required=self._identity().second_factor == "required",
            is_on=user.has_second_factor,
            recovery_codes_left=left,
            shared=self._factor_secrets.shared(factor.sealed, name) if factor and waits else None,
        )

    def begin_second_factor(self, actor: Actor) -> None:
        """Make a secret for the actor's app. It is asked for once a first code has confirmed it."""
        made = SecondFactor(
            user_name=actor.name,
            sealed=self._factor_secrets.new(actor.name),
            begun_at=self._clock.now(),
        )
        with self._governance.transaction() as tx:
            if existing(tx, actor.name).password_hash is None:
                raise RefusedError(
                    "You have no password here that a second factor could stand beside.",
                    why="you sign in at your organisation, or with tokens alone.",
                )
            if not tx.second_factors.begin(made):
                raise RefusedError(
                    "You have a second factor already.", remedy="Remove it first, then set up the new one."
                )
            tx.audit.append(actor, "user.begin_second_factor", actor.name)

    def confirm_second_factor(self, actor: Actor, code: str, session_id: str = "") -> Sequence[str]:
        """Ask the actor for codes from now on; gives their recovery codes, the one time that they are known.

        Sessions that a password alone has opened end, but for the one that this is done in.
        """
        codes = [
            second_factor.recovery_code(secrets.token_bytes(second_factor.RECOVERY_BYTES))
            for _ in range(second_factor.RECOVERY_CODES)
        ]
        now, name = self._clock.now(), actor.name
        with self._governance.transaction() as tx:
            factor = tx.second_factors.get(name)
            if factor is None or factor.confirmed_at is not None:
                raise RefusedError("There is no second factor to confirm.", remedy="Begin to set one up.")
            plain = second_factor.plain(code)
            if second_factor.kind_of(plain) != "code" or not self._code_counts(tx, factor, plain):
                raise InputError(
                    "The code is not right.",
                    why="it is not the one that the app shows at this moment.",
                    remedy="Type the six digits that it shows now, and check the phone's clock.",
                )
            tx.second_factors.confirm(name, now)
            tx.second_factors.add_recovery_codes(name, [hash_secret(second_factor.plain(c)) for c in codes])
            others = [session for session in tx.users.sessions_of(name) if session.id != session_id]
            ended = sum(tx.users.revoke_session(session.secret_hash, now) for session in others)
            tx.audit.append(actor, "user.add_second_factor", name, details={"sessions_ended": ended})
        return codes

    def reset_second_factor(self, actor: Actor, name: str) -> None:
        """Take a user's second factor away, for they have lost it: their sessions end."""
        if actor.name == name:
            raise RefusedError(
                "You cannot reset your own second factor.",
                why="whoever finds you signed in could then do without it.",
                remedy="Give it up with password and code on your own page, or ask another operator.",
            )
        with self._governance.transaction() as tx:
            existing(tx, name)
            if not tx.second_factors.remove(name):
                raise NotFoundError(f"{name} has no second factor.", remedy="phems user list")
            ended = tx.users.revoke_sessions_of(name, self._clock.now())
            tx.audit.append(actor, "user.reset_second_factor", name, details={"sessions_ended": ended})

    def _used(self, tx: Transaction, factor: SecondFactor, code: str) -> CodeKind | None:
        """Let a code count, once; None when it does not."""
        plain = second_factor.plain(code)
        kind = second_factor.kind_of(plain)
        if kind == "code":
            return kind if self._code_counts(tx, factor, plain) else None
        if kind is None or not tx.second_factors.use_recovery_code(factor.user_name, hash_secret(plain)):
            return None
        left = tx.second_factors.recovery_codes_left(factor.user_name)
        tx.audit.append(
            Actor(factor.user_name), "user.use_recovery_code", factor.user_name, details={"left": left}
        )
        return kind

    def _code_counts(self, tx: Transaction, factor: SecondFactor, plain: str) -> bool:
        def code_at(step: int) -> str:
            return self._factor_secrets.code(factor.sealed, factor.user_name, step)

        step = second_factor.step_of(plain, code_at, self._clock.now(), factor.last_step)
        return step is not None and tx.second_factors.use_step(factor.user_name, step)
