"""Signing what approvers decide, and verifying it: of code revisions, run capsules and votes alike.

A person's first key is made here, at their first approval, so that a node works without further steps.
What that shows: the approval was made through this node, by somebody it took for that person, for exactly
these bytes; nobody has written or changed it in the database. What it does not show: that it was the person,
and not somebody with their token or the node's keys folder. For that, the person keeps the private half and
hands in signatures (`given`).
"""

from __future__ import annotations

from phems.domain.actors import NODE, Actor
from phems.domain.approvals import Signature, Statement
from phems.domain.approver_keys import ApproverKey, ApproverKeyState, HeldBy, why_not_counting
from phems.errors import RefusedError
from phems.services.ports import Transaction
from phems.services.ports.approver_keys import ApproverKeys
from phems.services.ports.clock import Clock


class ApprovalSignatures:
    """Signatures of approvers, as the use cases that decide something need them."""

    def __init__(self, node: str, keys: ApproverKeys, clock: Clock) -> None:
        self._node = node
        self._keys = keys
        self._clock = clock

    def signed_bytes(self, statement: Statement) -> bytes:
        """What a person who keeps their own key has to sign."""
        return statement.signed_bytes(self._node)

    def current_key(self, work: Transaction, person: str) -> ApproverKey:
        """The key that a person signs with now, the first made when they never had one.

        Ask for it before the moment that the statement names: a signature is not older than its key. Raises
        `RefusedError` when the last key was revoked and no other registered.
        """
        work.approver_keys.lock(person)
        keys = work.approver_keys.of_person(person)
        if not keys:
            return self._first_key(work, person)
        if keys[0].state is not ApproverKeyState.CURRENT:
            raise RefusedError(
                f"{person} has no key to sign with.",
                why=f"the key {keys[0].key_id} was revoked, and no other was registered since.",
                remedy=f"phems user key {person} --new",
            )
        return keys[0]

    def sign(
        self, work: Transaction, actor: Actor, statement: Statement, *, given: str | None = None
    ) -> Signature:
        """The actor's signature over a statement: made here, or `given` (base64) and verified here.

        Raises `RefusedError` when the person keeps their key and no signature is given, or a wrong one.
        """
        key = self.current_key(work, actor.name)
        if given is None and key.held_by == "person":
            raise RefusedError(
                f"A signature of {actor.name} is missing.",
                why=f"{actor.name} keeps the key {key.key_id}; the node cannot sign for them.",
                remedy="Sign the statement, and hand in both: phems code statement --help",
            )
        signature = (
            self._keys.sign(actor.name, self.signed_bytes(statement), key.key_id)
            if given is None
            else Signature(key.key_id, given)
        )
        problem = self.problem(work, statement, signature)
        if problem is not None:
            raise RefusedError(
                f"The signature of {actor.name} does not count.",
                why=f"{problem}.",
                remedy=f"See the keys of {actor.name}: phems user key {actor.name}",
            )
        return signature

    def sign_if_held(self, work: Transaction, actor: Actor, statement: Statement) -> Signature | None:
        """The actor's signature when the node holds a current key of theirs; None otherwise."""
        held = [key for key in work.approver_keys.of_person(actor.name) if _signs_here(key)]
        return self.sign(work, actor, statement) if held else None

    def problem(self, work: Transaction, statement: Statement, signature: Signature) -> str | None:
        """Why a signature does not count, in the steps of the verification; None when it does.

        1. The key is registered, is the person's, was theirs at that moment, and is not revoked.
        2. The key is trusted outside the database too.
        3. The signature is that of these bytes.
        """
        key = work.approver_keys.get(signature.key_id)
        problem = why_not_counting(key, statement.by, statement.at)  # 1
        if key is None or problem is not None:
            return problem
        if not self._keys.trusts(key.person, key.key_id, key.public_key):  # 2
            return f"its key {key.key_id} is not in the keys folder as {key.person}'s"
        if not self._keys.verifies(key.public_key, self.signed_bytes(statement), signature.signature):  # 3
            return "the signature is not over this statement"
        return None

    def _first_key(self, work: Transaction, person: str) -> ApproverKey:
        public_key = self._keys.make(person)
        return registered(work, self._keys, NODE, person, public_key, held_by="node", clock=self._clock)


def registered(
    work: Transaction,
    keys: ApproverKeys,
    actor: Actor,
    person: str,
    public_key: str,
    *,
    held_by: HeldBy,
    clock: Clock,
    replaces: str | None = None,
) -> ApproverKey:
    """A public key entered as a person's current one, trusted and audited."""
    key = ApproverKey(
        person=person,
        key_id=keys.trust(person, public_key),
        public_key=public_key,
        held_by=held_by,
        registered_at=clock.now(),
        registered_by=actor.name,
    )
    work.approver_keys.save(key)
    work.audit.append(
        actor,
        "user.register_key",
        person,
        details={"key_id": key.key_id, "public_key": public_key, "held_by": held_by, "replaces": replaces},
    )
    return key


def _signs_here(key: ApproverKey) -> bool:
    return key.state is ApproverKeyState.CURRENT and key.held_by == "node"
