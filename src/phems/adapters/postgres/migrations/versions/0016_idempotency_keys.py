"""Idempotency keys of acts sent to the API: used for what, acted on or not, and the answer, for a day."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.idempotency_keys (
            caller          text NOT NULL,
            key_hash        text NOT NULL CHECK (key_hash ~ '^[0-9a-f]{64}$'),
            holder          text NOT NULL,
            request_digest  text NOT NULL CHECK (request_digest ~ '^[0-9a-f]{64}$'),
            used_at         timestamptz NOT NULL,
            acted           boolean NOT NULL DEFAULT false,
            status          smallint,
            headers         jsonb,
            body            bytea,
            PRIMARY KEY (caller, key_hash),
            CHECK ((status IS NULL) = (headers IS NULL)),
            CHECK (status IS NOT NULL OR body IS NULL)
        )
        """
    )
    op.execute("CREATE INDEX idempotency_keys_by_age ON governance.idempotency_keys (used_at)")
