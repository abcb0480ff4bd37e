"""Local users, their API tokens and their sessions. Secrets are stored as hashes alone."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.users (
            name            text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._@+-]{0,126}$'),
            password_hash   text,
            created_at      timestamptz NOT NULL,
            created_by      text NOT NULL,
            disabled_at     timestamptz
        )
        """
    )
    op.execute(
        """
        CREATE TABLE governance.api_tokens (
            token_hash  text PRIMARY KEY CHECK (token_hash ~ '^[0-9a-f]{64}$'),
            user_name   text NOT NULL REFERENCES governance.users (name),
            created_at  timestamptz NOT NULL,
            expires_at  timestamptz NOT NULL,
            revoked_at  timestamptz
        )
        """
    )
    op.execute(
        """
        CREATE TABLE governance.user_sessions (
            session_hash    text PRIMARY KEY CHECK (session_hash ~ '^[0-9a-f]{64}$'),
            user_name       text NOT NULL REFERENCES governance.users (name),
            created_at      timestamptz NOT NULL,
            expires_at      timestamptz NOT NULL,
            revoked_at      timestamptz
        )
        """
    )
    op.execute(
        """
        CREATE TABLE governance.sign_in_failures (
            name        text PRIMARY KEY,
            failures    integer NOT NULL,
            last_at     timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX api_tokens_by_user ON governance.api_tokens (user_name)")
    op.execute("CREATE INDEX user_sessions_by_user ON governance.user_sessions (user_name)")
