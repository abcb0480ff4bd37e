"""CPU time of runs, as hosts and pods tell it."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE engine.run_cpu (
            run_id        text PRIMARY KEY,
            project       text NOT NULL,
            day           date NOT NULL,
            told_seconds  double precision NOT NULL CHECK (told_seconds >= 0)
        )
        """
    )
    op.execute("CREATE INDEX run_cpu_by_day ON engine.run_cpu (day)")
