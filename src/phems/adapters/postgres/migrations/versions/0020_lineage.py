"""Files by their SHA-256: where a released file comes from is asked by what it holds."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX outputs_by_digest ON governance.outputs (project, sha256)")
    op.execute("CREATE INDEX release_files_by_digest ON governance.release_files (sha256)")
