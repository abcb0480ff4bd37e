"""What a review of a release request keeps: every vote, every turn, every file that was withdrawn.

A vote that is changed is a new row, and the earlier one stays: what stands is the last of each checker on
each file in each turn. Nothing of a review is written over or removed.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE governance.release_votes
            ADD number          integer NOT NULL DEFAULT 0 CHECK (number >= 0),
            ADD justification   text NOT NULL DEFAULT '',
            ADD reason          text NOT NULL DEFAULT '',
            ADD policy_version  text NOT NULL DEFAULT '',
            ADD key_id          text NOT NULL DEFAULT '',
            ADD signature       text NOT NULL DEFAULT '',
            ADD nonce           text NOT NULL DEFAULT '' CHECK (nonce ~ '^([0-9a-f]{32})?$'),
            DROP CONSTRAINT release_votes_pkey,
            ADD PRIMARY KEY (request_id, turn, path, checker, number)
        """
    )
    op.execute("ALTER TABLE governance.release_comments ADD file_group text")
    op.execute(
        """
        ALTER TABLE governance.release_requests
            ADD asked_by  text NOT NULL DEFAULT '',
            ADD asked_at  timestamptz
        """
    )
    op.execute(
        """
        CREATE TABLE governance.release_turns (
            request_id  text NOT NULL REFERENCES governance.release_requests (id),
            turn        integer NOT NULL CHECK (turn > 0),
            asked_by    text NOT NULL,
            asked_at    timestamptz NOT NULL,
            policy      jsonb NOT NULL,
            groups      jsonb NOT NULL,
            runs        jsonb NOT NULL,
            state       text NOT NULL,
            opened      boolean NOT NULL,
            decided_by  text,
            decided_at  timestamptz,
            reason      text NOT NULL,
            PRIMARY KEY (request_id, turn)
        )
        """
    )
    # What was frozen is never written over: that a file was withdrawn is another row.
    op.execute(
        """
        CREATE TABLE governance.release_withdrawals (
            request_id  text NOT NULL,
            turn        integer NOT NULL,
            path        text NOT NULL,
            person      text NOT NULL,
            at          timestamptz NOT NULL,
            PRIMARY KEY (request_id, turn, path),
            FOREIGN KEY (request_id, turn, path) REFERENCES governance.release_files (request_id, turn, path)
        )
        """
    )
    op.execute(
        """
        REVOKE UPDATE, DELETE ON
            governance.release_votes, governance.release_turns, governance.release_withdrawals
            FROM phems_governance
        """
    )
