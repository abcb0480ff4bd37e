"""Indexes for searching the audit log: by who acted, what was done, to what, when, and what did not succeed.

An index adds nothing to what an entry says: the hash chain and the signed checkpoints are as they were.
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX entry_by_actor ON audit.entry (actor, seq)")
    # "C": a noun is looked for as the range of what begins with it.
    op.execute('CREATE INDEX entry_by_action ON audit.entry (action COLLATE "C", seq)')
    op.execute("CREATE INDEX entry_by_subject ON audit.entry (subject text_pattern_ops, seq)")
    op.execute("CREATE INDEX entry_by_time ON audit.entry (at)")
    op.execute("CREATE INDEX entry_by_failure ON audit.entry (result, seq) WHERE result <> 'done'")
