"""Registering, replacing and revoking the keys that approvers sign with.

Who may is the caller's to check (`user.manage`), save that anybody may register their first key. A key is
never changed by itself: each new one is a registration in the audit log, with who did it.
"""

from __future__ import annotations

from collections.abc import Sequence

from phems.domain.actors import Actor
from phems.domain.approver_keys import ApproverKey, ApproverKeyAction, ApproverKeyState, HeldBy, ended
from phems.errors import InputError, NotFoundError, RefusedError
from phems.services.approval_signatures import registered
from phems.services.ports import Governance, Transaction
from phems.services.ports.approver_keys import ApproverKeys
from phems.services.ports.clock import Clock


class ApproverKeyRegister:
    """The use cases around approvers' keys."""

    def __init__(self, governance: Governance, keys: ApproverKeys, clock: Clock) -> None:
        self._governance = governance
        self._keys = keys
        self._clock = clock

    def list(self, person: str) -> Sequence[ApproverKey]:
        """A person's keys, newest first."""
        with self._governance.transaction() as work:
            return work.approver_keys.of_person(person)

    def current(self, person: str) -> ApproverKey:
        """The key a person signs with; NotFoundError when there is none."""
        found = [key for key in self.list(person) if key.state is ApproverKeyState.CURRENT]
        if not found:
            raise NotFoundError(
                f"{person} has no current key.",
                why="one is made at a person's first approval, or registered.",
                remedy=f"phems user key {person} --new",
            )
        return found[0]

    def make(self, actor: Actor, person: str) -> ApproverKey:
        """A new key pair whose private half the node holds; it replaces the current one."""
        return self._register(actor, person, None, "node")

    def register(self, actor: Actor, person: str, public_key: str) -> ApproverKey:
        """A public key (base64) whose private half the person keeps; it replaces the current one."""
        return self._register(actor, person, public_key, "person")

    def register_first(self, actor: Actor, public_key: str) -> ApproverKey:
        """The actor's own first key, which needs no operator. RefusedError when they have had one."""
        return self._register(actor, actor.name, public_key, "person", only_first=True)

    def revoke(self, actor: Actor, person: str, key_id: str | None = None, *, reason: str) -> ApproverKey:
        """Nothing that this key signed counts any more; without an id, the current one."""
        if not reason.strip():
            raise InputError(
                f"A reason is missing to revoke a key of {person}.",
                why="the audit log is told why.",
                remedy=f'phems user key {person} --revoke --reason "..."',
            )
        with self._governance.transaction() as work:
            work.approver_keys.lock(person)
            key = _one(work, person, key_id)
            revoked = ended(
                key, ApproverKeyAction.REVOKE, by=actor.name, at=self._clock.now(), reason=reason.strip()
            )
            # Outside the database first: should the transaction fail, the key counts no more all the same.
            self._keys.distrust(person, key.key_id)
            work.approver_keys.save(revoked)
            work.audit.append(
                actor,
                "user.revoke_key",
                person,
                details={
                    "key_id": key.key_id,
                    "before": key.state.value,
                    "after": revoked.state.value,
                    "reason": revoked.reason,
                },
            )
        return revoked

    def _register(
        self,
        actor: Actor,
        person: str,
        public_key: str | None,
        held_by: HeldBy,
        *,
        only_first: bool = False,
    ) -> ApproverKey:
        with self._governance.transaction() as work:
            if work.users.get(person) is None:
                raise NotFoundError(
                    f"There is no user {person}.", remedy=f"phems user list, or phems user add {person}"
                )
            work.approver_keys.lock(person)
            earlier = work.approver_keys.of_person(person)
            if only_first and earlier:
                raise RefusedError(
                    f"{person} has had a key already.",
                    why="whoever has stolen a token could otherwise bring a key of their own.",
                    remedy=f"Ask an operator: phems user key {person} --register FILE",
                )
            known = self._keys.make(person) if public_key is None else public_key
            _check_unused(work, self._keys.id_of(known))
            current = next((key for key in earlier if key.state is ApproverKeyState.CURRENT), None)
            if current is not None:
                at = self._clock.now()
                work.approver_keys.save(ended(current, ApproverKeyAction.REPLACE, by=actor.name, at=at))
            return registered(
                work,
                self._keys,
                actor,
                person,
                known,
                held_by=held_by,
                clock=self._clock,
                replaces=current.key_id if current else None,
            )


def _check_unused(work: Transaction, key_id: str) -> None:
    """One key, one person: two people with one key would be one approver counted twice."""
    if work.approver_keys.get(key_id) is not None:
        raise RefusedError(
            "This key cannot be registered.",
            why="it is, or was, registered already: a key is one person's, and comes once.",
            remedy="Make another pair, and register its public half.",
        )


def _one(work: Transaction, person: str, key_id: str | None) -> ApproverKey:
    keys = work.approver_keys.of_person(person)
    if key_id is None:
        found = [key for key in keys if key.state is ApproverKeyState.CURRENT]
    else:
        found = [key for key in keys if key.key_id == key_id]
    if not found:
        raise NotFoundError(
            f"{person} has no {'current key' if key_id is None else f'key {key_id}'}.",
            remedy=f"phems user key {person}",
        )
    return found[0]
