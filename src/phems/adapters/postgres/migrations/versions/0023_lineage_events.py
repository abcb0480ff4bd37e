"""OpenLineage events of runs and releases; the runs that none tells of yet; how far each place is told."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.lineage_events (
            number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            project   text NOT NULL,
            subject   uuid NOT NULL,
            kind      text NOT NULL,
            run_id    text,
            document  text NOT NULL,
            UNIQUE (subject, kind)
        )
        """
    )
    op.execute("REVOKE UPDATE, DELETE ON governance.lineage_events FROM phems_governance")
    # Written with each submission, so that no run is forgotten and none is looked for.
    op.execute(
        """
        CREATE TABLE governance.lineage_untold (
            number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            run_id     text NOT NULL UNIQUE,
            project    text NOT NULL,
            has_begun  boolean NOT NULL DEFAULT false
        )
        """
    )
    op.execute(
        """
        INSERT INTO governance.lineage_untold (run_id, project)
        SELECT run_id, project FROM governance.run_submissions ORDER BY at
        """
    )
    op.execute(
        """
        CREATE TABLE governance.lineage_targets (
            name      text PRIMARY KEY,
            number    bigint NOT NULL DEFAULT 0,
            attempts  integer NOT NULL DEFAULT 0,
            due_at    timestamptz,
            failure   text NOT NULL DEFAULT ''
        )
        """
    )
