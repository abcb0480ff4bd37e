"""Tokens with a name, a scope and a last use; sessions that say where they were opened and last seen.

A token from before has no scope: it goes on as it was. A session from before counts as seen now.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE governance.api_tokens
            ADD created_by    text NOT NULL DEFAULT '',
            ADD label         text NOT NULL DEFAULT '',
            ADD projects      text[],
            ADD verbs         text[],
            ADD last_used_at  timestamptz
        """
    )
    op.execute(
        """
        ALTER TABLE governance.user_sessions
            ADD last_seen_at  timestamptz NOT NULL DEFAULT now(),
            ADD method        text NOT NULL DEFAULT 'password',
            ADD address       text NOT NULL DEFAULT '',
            ADD agent         text NOT NULL DEFAULT ''
        """
    )
