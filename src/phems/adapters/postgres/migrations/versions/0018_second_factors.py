"""Second factors of local users: a sealed secret, the last code that counted, hashes of recovery codes."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.second_factors (
            user_name     text PRIMARY KEY REFERENCES governance.users (name),
            sealed        text NOT NULL,
            begun_at      timestamptz NOT NULL,
            confirmed_at  timestamptz,
            last_step     bigint
        )
        """
    )
    op.execute(
        """
        CREATE TABLE governance.recovery_codes (
            user_name  text NOT NULL REFERENCES governance.second_factors (user_name) ON DELETE CASCADE,
            code_hash  text NOT NULL CHECK (code_hash ~ '^[0-9a-f]{64}$'),
            PRIMARY KEY (user_name, code_hash)
        )
        """
    )
