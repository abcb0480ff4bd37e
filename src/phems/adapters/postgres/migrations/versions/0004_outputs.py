"""Outputs that runs registered. A row is never changed: the last of a path counts."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.outputs (
            id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            project     text NOT NULL,
            run_id      text NOT NULL,
            step_key    text NOT NULL,
            path        text NOT NULL,
            sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
            size        bigint NOT NULL CHECK (size >= 0),
            media_type  text NOT NULL,
            at          timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX outputs_by_run ON governance.outputs (project, run_id, path, id)")
    op.execute("CREATE INDEX outputs_by_path ON governance.outputs (project, path, id)")
    op.execute("REVOKE UPDATE, DELETE ON governance.outputs FROM phems_governance")
