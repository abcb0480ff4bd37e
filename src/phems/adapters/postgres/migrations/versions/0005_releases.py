"""Release requests with the files, votes and comments of every turn, and the packages made of them."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.release_requests (
            id              text PRIMARY KEY CHECK (id ~ '^rr-[a-z2-7]{8}$'),
            project         text NOT NULL,
            requester       text NOT NULL,
            authors         text[] NOT NULL CHECK (cardinality(authors) > 0),
            policy          jsonb NOT NULL,
            requested_at    timestamptz NOT NULL,
            groups          jsonb NOT NULL,
            runs            jsonb NOT NULL,
            state           text NOT NULL CHECK (state IN (
                'PENDING', 'SUBMITTED', 'PARTIALLY_REVIEWED', 'REVIEWED', 'RETURNED',
                'APPROVED', 'RELEASED', 'REJECTED', 'WITHDRAWN', 'REVOKED')),
            turn            integer NOT NULL CHECK (turn > 0),
            decided_by      text,
            decided_at      timestamptz,
            reason          text NOT NULL,
            released_at     timestamptz,
            package_digest  text CHECK (package_digest ~ '^[0-9a-f]{64}$'),
            CHECK ((state = 'RELEASED') <= (released_at IS NOT NULL AND package_digest IS NOT NULL))
        )
        """
    )
    op.execute("CREATE INDEX release_requests_by_project ON governance.release_requests (project)")
    op.execute("CREATE INDEX release_requests_by_state ON governance.release_requests (state)")
    op.execute(
        """
        CREATE TABLE governance.release_files (
            request_id  text NOT NULL REFERENCES governance.release_requests (id),
            turn        integer NOT NULL,
            path        text NOT NULL,
            sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
            size        bigint NOT NULL CHECK (size >= 0),
            media_type  text NOT NULL,
            run_id      text NOT NULL,
            step_key    text NOT NULL,
            file_group  text NOT NULL,
            kind        text NOT NULL CHECK (kind IN ('output', 'supporting', 'code', 'withdrawn')),
            PRIMARY KEY (request_id, turn, path)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE governance.release_votes (
            request_id  text NOT NULL,
            turn        integer NOT NULL,
            path        text NOT NULL,
            checker     text NOT NULL,
            vote        text NOT NULL CHECK (vote IN ('APPROVED', 'CHANGES_REQUESTED', 'UNDECIDED')),
            at          timestamptz NOT NULL,
            PRIMARY KEY (request_id, turn, path, checker),
            FOREIGN KEY (request_id, turn, path) REFERENCES governance.release_files (request_id, turn, path)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE governance.release_comments (
            request_id  text NOT NULL REFERENCES governance.release_requests (id),
            number      integer NOT NULL,
            turn        integer NOT NULL,
            author      text NOT NULL,
            text        text NOT NULL,
            visibility  text NOT NULL CHECK (visibility IN ('PUBLIC', 'PRIVATE')),
            at          timestamptz NOT NULL,
            PRIMARY KEY (request_id, number)
        )
        """
    )
    # The manifest is kept as it was written: a package can be completed, byte for byte, after a crash.
    op.execute(
        """
        CREATE TABLE governance.release_packages (
            request_id  text PRIMARY KEY REFERENCES governance.release_requests (id),
            manifest    bytea NOT NULL,
            placed_at   timestamptz
        )
        """
    )
    op.execute(
        """
        REVOKE DELETE ON governance.release_requests, governance.release_votes, governance.release_packages
            FROM phems_governance
        """
    )
    op.execute(
        "REVOKE UPDATE, DELETE ON governance.release_files, governance.release_comments FROM phems_governance"
    )
