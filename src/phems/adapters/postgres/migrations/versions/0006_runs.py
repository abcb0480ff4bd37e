"""Who asked for which run, and which runs were let through: out of reach of the engine's role.

A run row in Dagster's schema says nothing of whether it may run; these rows do.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.run_submissions (
            run_id          text PRIMARY KEY,
            project         text NOT NULL,
            requester       text NOT NULL,
            code_digest     text NOT NULL,
            fingerprint     text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
            needed_sources  text[] NOT NULL,
            at              timestamptz NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE governance.run_admissions (
            run_id          text PRIMARY KEY REFERENCES governance.run_submissions (run_id),
            project         text NOT NULL,
            code_digest     text NOT NULL,
            capsule         text NOT NULL CHECK (capsule ~ '^[0-9a-f]{64}$'),
            at              timestamptz NOT NULL
        )
        """
    )
