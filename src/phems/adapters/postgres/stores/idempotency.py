"""Idempotency keys in Postgres."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from phems.domain.idempotency import Claim, KeptAnswer
from phems.services.ports.idempotency import UsedKey

_ONE = "WHERE caller = :caller AND key_hash = :key_hash"
_CLAIM = text(
    "INSERT INTO governance.idempotency_keys (caller, key_hash, holder, request_digest, used_at) "
    "VALUES (:caller, :key_hash, :holder, :request_digest, :at) ON CONFLICT DO NOTHING"
)
_USED = text(f"SELECT * FROM governance.idempotency_keys {_ONE} FOR UPDATE")  # noqa: S608 (constants)
_TAKE_OVER = text(
    f"UPDATE governance.idempotency_keys SET holder = :holder, used_at = :at {_ONE}"  # noqa: S608
)
_MARK = text(
    f"UPDATE governance.idempotency_keys SET acted = true {_ONE} AND holder = :holder"  # noqa: S608
)
_KEEP = text(
    "UPDATE governance.idempotency_keys "  # noqa: S608
    f"SET status = :status, headers = CAST(:headers AS jsonb), body = :body {_ONE} AND holder = :holder"
)
_FORGET = text("DELETE FROM governance.idempotency_keys WHERE used_at < :at")


class PostgresIdempotencyKeyStore:
    """`IdempotencyKeyStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, claim: Claim, request_digest: str, at: datetime) -> bool:
        """Put a new key on record."""
        more = {"request_digest": request_digest, "at": at}
        return self._connection.execute(_CLAIM, {**_named(claim), **more}).rowcount == 1

    def used(self, claim: Claim) -> UsedKey | None:
        """The key as it is on record, locked."""
        row = self._connection.execute(_USED, _named(claim)).first()
        if row is None:
            return None
        body = None if row.body is None else bytes(row.body)
        answer = None if row.status is None else KeptAnswer(row.status, dict(row.headers), body)
        return UsedKey(request_digest=row.request_digest, acted=row.acted, answer=answer)

    def take_over(self, claim: Claim, at: datetime) -> None:
        """Make the claim's holder the key's."""
        self._connection.execute(_TAKE_OVER, {**_named(claim), "at": at})

    def mark_acted(self, claim: Claim) -> bool:
        """Mark the key, if the claim's holder has it."""
        return self._connection.execute(_MARK, _named(claim)).rowcount == 1

    def keep_answer(self, claim: Claim, answer: KeptAnswer) -> None:
        """Keep the answer."""
        told = {"status": answer.status, "headers": json.dumps(dict(answer.headers)), "body": answer.body}
        self._connection.execute(_KEEP, {**_named(claim), **told})

    def forget_before(self, at: datetime) -> None:
        """Delete old keys."""
        self._connection.execute(_FORGET, {"at": at})


def _named(claim: Claim) -> dict[str, Any]:
    return {"caller": claim.caller, "key_hash": claim.key_hash, "holder": claim.holder}
