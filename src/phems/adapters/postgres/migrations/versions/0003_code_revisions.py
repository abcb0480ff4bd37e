"""Code revisions and the approvals on them. At most one of a project is APPROVED, whoever writes."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.code_revisions (
            project             text NOT NULL,
            commit              text NOT NULL CHECK (commit ~ '^[0-9a-f]{40,64}$'),
            digest              text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
            environment_digest  text CHECK (environment_digest ~ '^[0-9a-f]{64}$'),
            branch              text NOT NULL,
            subject             text NOT NULL,
            authors             text[] NOT NULL CHECK (cardinality(authors) > 0),
            submitter           text NOT NULL,
            submitted_at        timestamptz NOT NULL,
            turn                integer NOT NULL CHECK (turn > 0),
            state               text NOT NULL CHECK (state IN (
                'SUBMITTED', 'UNDER_REVIEW', 'APPROVED', 'REJECTED', 'REPLACED', 'REVOKED')),
            decided_by          text,
            decided_at          timestamptz,
            reason              text NOT NULL,
            PRIMARY KEY (project, commit)
        )
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX one_approved_code_revision
            ON governance.code_revisions (project) WHERE state = 'APPROVED'
        """
    )
    op.execute(
        """
        CREATE TABLE governance.code_approvals (
            project     text NOT NULL,
            commit      text NOT NULL,
            turn        integer NOT NULL,
            approver    text NOT NULL,
            at          timestamptz NOT NULL,
            note        text NOT NULL,
            PRIMARY KEY (project, commit, turn, approver),
            FOREIGN KEY (project, commit) REFERENCES governance.code_revisions (project, commit)
        )
        """
    )
    op.execute("REVOKE DELETE ON governance.code_revisions FROM phems_governance")
    op.execute("REVOKE UPDATE, DELETE ON governance.code_approvals FROM phems_governance")
