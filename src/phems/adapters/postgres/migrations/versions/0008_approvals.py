"""Signed approvals of code revisions, and the register of the keys that sign them.

An approval from before has no signature: under `signatures: required` it counts no more, and the revision
takes an approval again.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.approver_keys (
            key_id         text PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{16}$'),
            person         text NOT NULL,
            public_key     text NOT NULL UNIQUE,
            held_by        text NOT NULL CHECK (held_by IN ('node', 'person')),
            registered_at  timestamptz NOT NULL,
            registered_by  text NOT NULL,
            state          text NOT NULL CHECK (state IN ('CURRENT', 'REPLACED', 'REVOKED')),
            ended_at       timestamptz,
            ended_by       text,
            reason         text NOT NULL,
            CHECK ((state = 'CURRENT') = (ended_at IS NULL))
        )
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX one_current_approver_key
            ON governance.approver_keys (person) WHERE state = 'CURRENT'
        """
    )
    op.execute("REVOKE DELETE ON governance.approver_keys FROM phems_governance")
    op.execute(
        """
        ALTER TABLE governance.code_approvals
            ADD policy_version text NOT NULL DEFAULT '',
            ADD key_id         text NOT NULL DEFAULT '',
            ADD signature      text NOT NULL DEFAULT ''
        """
    )
    # Somebody whose key was revoked may approve again, with another.
    op.execute(
        """
        ALTER TABLE governance.code_approvals
            DROP CONSTRAINT code_approvals_pkey,
            ADD PRIMARY KEY (project, commit, turn, approver, key_id)
        """
    )
    op.execute("ALTER TABLE governance.code_revisions ADD stop_runs boolean NOT NULL DEFAULT false")
