"""Idempotency keys: an act that is sent twice is done once, and answered twice.

What holds, and why:

1. Before an act its key is on record, with a digest of the request. The same key with another request is
   refused.
2. An act's transaction marks the key as acted on, if it still holds it; else it is rolled back. So the act
   and the mark are both there, or neither is, wherever the node is stopped.
3. The answer is kept before it is sent. A key without an answer that was not acted on (2) is free to be used
   again; one that was acted on is never acted on again: the caller is told to look.

Keys and requests are on record as keyed hashes alone: a request may hold a password. Answers that hold a
secret are not kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from phems.domain.idempotency import KEPT_FOR, Claim, KeptAnswer
from phems.errors import BusyError, ConflictError, ReusedKeyError
from phems.services.ports import Governance
from phems.services.ports.clock import Clock

_SERVER_ERROR = 500

_acting_under: ContextVar[Claim | None] = ContextVar("phems_acting_under", default=None)


@contextmanager
def acting_under(claim: Claim) -> Iterator[None]:
    """Let every transaction of the block mark the claim's key as acted on."""
    before = _acting_under.set(claim)
    try:
        yield
    finally:
        _acting_under.reset(before)


def present_claim() -> Claim | None:
    """The claim under which acts are done now."""
    return _acting_under.get()


class IdempotencyKeys:
    """The keys of a node. `secret` keys the hashes; it lies outside of the database."""

    def __init__(self, governance: Governance, clock: Clock, secret: bytes) -> None:
        self._governance = governance
        self._clock = clock
        self._secret = secret
        self._in_flight: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def begin(self, caller: str, key: str, request: bytes) -> Claim | KeptAnswer:
        """The right to act on a request under a key, or what it was answered with before.

        ConflictError while it is being acted on, and when its answer cannot be given again; ReusedKeyError
        when the key was used for another request. Who gets a claim ends it with `end`.
        """
        claim = Claim(caller=caller, key_hash=self._hash("key", key.encode()), holder=secrets.token_hex(16))
        with self._lock:
            if _name(claim) in self._in_flight:
                raise _in_flight()
            self._in_flight.add(_name(claim))
        found: KeptAnswer | None = None
        is_claimed = False
        try:
            found = self._found(claim, self._hash("request", request))
            is_claimed = found is None
        finally:
            if not is_claimed:
                self._release(claim)
        return claim if found is None else found

    def end(self, claim: Claim, answer: KeptAnswer | None) -> None:
        """The act is over. When the node failed (5xx) it has no answer that is kept, as if it had none."""
        try:
            if answer is not None and answer.status < _SERVER_ERROR:
                with self._governance.transaction() as tx:
                    tx.idempotency_keys.keep_answer(claim, answer)
        finally:
            self._release(claim)

    def _found(self, claim: Claim, request_digest: str) -> KeptAnswer | None:
        now = self._clock.now()
        with self._governance.transaction() as tx:
            keys = tx.idempotency_keys
            keys.forget_before(now - KEPT_FOR)
            if keys.claim(claim, request_digest, now):
                return None
            used = keys.used(claim)
            if used is None:
                raise _in_flight()
            if used.request_digest != request_digest:
                raise ReusedKeyError(
                    "The Idempotency-Key was used for another request.",
                    why=f"a key stands for the one act it was sent with, for {KEPT_FOR.days} day.",
                    remedy="Send another act with a key of its own.",
                )
            if used.answer is None and used.acted:
                raise ConflictError(
                    "The act was begun, and its answer is lost.",
                    why="the node failed or was stopped after it had begun to act, so it does not act again.",
                    remedy="Look at what became of it, and act again, with a new key, if need be.",
                )
            if used.answer is None:
                keys.take_over(claim, now)
            elif used.answer.body is None:
                raise ConflictError(
                    "The act was done, and its answer is not told again.",
                    why="it held a secret, which is shown once and kept nowhere.",
                    remedy="If it did not reach you, make another with a new key.",
                )
            return used.answer

    def _release(self, claim: Claim) -> None:
        with self._lock:
            self._in_flight.discard(_name(claim))

    def _hash(self, what: str, said: bytes) -> str:
        return hmac.new(self._secret, what.encode() + b"\0" + said, hashlib.sha256).hexdigest()


def _name(claim: Claim) -> tuple[str, str]:
    return claim.caller, claim.key_hash


def _in_flight() -> BusyError:
    return BusyError(
        "An act with this Idempotency-Key is being done.",
        why="it was sent before, and is not answered yet.",
        remedy="Wait a moment, and send it again with the same key.",
    )
