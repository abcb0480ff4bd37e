"""The Merkle tree over the audit log: each entry with the tree that it was appended to.

`peaks` is the compact range before the entry (see `phems.domain.merkle`): with it the log's root, the root
at any earlier size, and every node that a proof needs are told from a handful of rows, and no second table
has to be kept in step. Entries may also name the run capsule they are about, and the subject's states.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from phems.domain.merkle import EMPTY_TREE, leaf_hash

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PAGE = 1000


def upgrade() -> None:
    for column in ("peaks bytea", "capsule text", "before text", "after text"):
        op.execute(f"ALTER TABLE audit.entry ADD COLUMN {column}")
    _fill_peaks()
    op.execute("ALTER TABLE audit.entry ALTER COLUMN peaks SET NOT NULL")
    op.execute("ALTER TABLE audit.entry ADD CHECK (octet_length(peaks) <= 63 * 32)")
    op.execute("CREATE INDEX entry_by_capsule ON audit.entry (capsule, seq) WHERE capsule IS NOT NULL")


def _fill_peaks() -> None:
    """Give the entries of an older log their place in the tree; nothing that a hash covers is touched."""
    connection = op.get_bind()
    op.execute("ALTER TABLE audit.entry DISABLE TRIGGER entry_is_append_only")
    tree = EMPTY_TREE
    page = text("SELECT seq, canonical FROM audit.entry WHERE seq > :after ORDER BY seq LIMIT :page")
    fill = text("UPDATE audit.entry SET peaks = :peaks WHERE seq = :seq")
    while rows := connection.execute(page, {"after": tree.size, "page": PAGE}).all():
        for row in rows:
            connection.execute(fill, {"seq": row.seq, "peaks": tree.packed()})
            tree = tree.append(leaf_hash(row.canonical.encode()))
    op.execute("ALTER TABLE audit.entry ENABLE ALWAYS TRIGGER entry_is_append_only")
