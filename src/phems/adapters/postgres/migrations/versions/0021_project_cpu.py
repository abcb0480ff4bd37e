"""CPU time of projects by day: what the kernel counted of their processes."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE engine.project_cpu (
            project  text NOT NULL,
            day      date NOT NULL,
            seconds  double precision NOT NULL CHECK (seconds >= 0),
            PRIMARY KEY (project, day)
        )
        """
    )
