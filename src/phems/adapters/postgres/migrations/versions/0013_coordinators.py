"""Tokens of federation coordinators: a kind of their own, stored as hashes alone."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.coordinator_tokens (
            token_hash   text PRIMARY KEY CHECK (token_hash ~ '^[0-9a-f]{64}$'),
            coordinator  text NOT NULL CHECK (coordinator ~ '^[a-z][a-z0-9-]{0,62}$'),
            created_at   timestamptz NOT NULL,
            created_by   text NOT NULL,
            expires_at   timestamptz NOT NULL,
            revoked_at   timestamptz
        )
        """
    )
    op.execute("CREATE INDEX coordinator_tokens_by_name ON governance.coordinator_tokens (coordinator)")
    op.execute("REVOKE DELETE ON governance.coordinator_tokens FROM phems_governance")
