"""What authors declare of their outputs, and what output checks found about each turn of a request.

Findings are kept as the checks gave them, with the versions of the tools: they go into the package.
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE governance.outputs ADD COLUMN declaration jsonb")
    op.execute("ALTER TABLE governance.release_files ADD COLUMN declaration jsonb")
    op.execute(
        """
        CREATE TABLE governance.output_checks (
            request_id  text NOT NULL REFERENCES governance.release_requests (id),
            turn        integer NOT NULL CHECK (turn > 0),
            findings    jsonb NOT NULL CHECK (jsonb_typeof(findings) = 'array'),
            tools       jsonb NOT NULL CHECK (jsonb_typeof(tools) = 'object'),
            at          timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (request_id, turn)
        )
        """
    )
    op.execute("REVOKE UPDATE, DELETE ON governance.output_checks FROM phems_governance")
