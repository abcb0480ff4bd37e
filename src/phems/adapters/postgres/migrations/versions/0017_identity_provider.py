"""People of an identity provider: who they are there, their groups, and sign-ins that are not finished."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE governance.users
            ADD issuer     text,
            ADD subject    text,
            ADD groups     text[] NOT NULL DEFAULT '{}',
            ADD groups_at  timestamptz,
            ADD CONSTRAINT users_subject_of_issuer CHECK ((issuer IS NULL) = (subject IS NULL)),
            ADD CONSTRAINT users_without_two_ways CHECK (issuer IS NULL OR password_hash IS NULL)
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX users_by_subject ON governance.users (issuer, subject) WHERE issuer IS NOT NULL
        """
    )
    op.execute("ALTER TABLE governance.user_sessions ADD groups text[] NOT NULL DEFAULT '{}'")
    op.execute(
        """
        CREATE TABLE governance.pending_sign_ins (
            secret_hash  text PRIMARY KEY CHECK (secret_hash ~ '^[0-9a-f]{64}$'),
            purpose      text NOT NULL,
            subject      text NOT NULL,
            next_path    text NOT NULL,
            expires_at   timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX pending_sign_ins_by_end ON governance.pending_sign_ins (expires_at)")
