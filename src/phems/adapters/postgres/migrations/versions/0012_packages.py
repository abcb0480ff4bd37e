"""Release packages with all their generated parts, and the outbox that says which lie in the release zone.

A package's parts are kept as they were written: it can be completed, byte for byte, after a crash. Events of
the outbox are numbered in the order of their commits, so that a reader with a cursor misses none.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.release_package_parts (
            request_id  text NOT NULL REFERENCES governance.release_packages (request_id),
            path        text NOT NULL,
            content     bytea NOT NULL,
            PRIMARY KEY (request_id, path)
        )
        """
    )
    op.execute(
        """
        INSERT INTO governance.release_package_parts (request_id, path, content)
        SELECT request_id, 'manifest.json', manifest FROM governance.release_packages
        """
    )
    op.execute("ALTER TABLE governance.release_packages DROP COLUMN manifest")
    op.execute(
        """
        CREATE TABLE governance.release_outbox (
            number      bigint PRIMARY KEY CHECK (number > 0),
            request_id  text NOT NULL REFERENCES governance.release_packages (request_id),
            event       text NOT NULL CHECK (event IN ('RELEASED', 'REVOKED')),
            at          timestamptz NOT NULL,
            UNIQUE (request_id, event)
        )
        """
    )
    op.execute(
        """
        INSERT INTO governance.release_outbox (number, request_id, event, at)
        SELECT row_number() OVER (ORDER BY placed_at, request_id), request_id, 'RELEASED', placed_at
        FROM governance.release_packages WHERE placed_at IS NOT NULL
        """
    )
    op.execute(
        """
        REVOKE UPDATE, DELETE ON governance.release_package_parts, governance.release_outbox
            FROM phems_governance
        """
    )
