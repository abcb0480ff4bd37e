"""Notifications of people who are waited for, and the addresses that mail goes to."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE governance.users ADD email text CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$')"
    )
    op.execute(
        """
        CREATE TABLE governance.notifications (
            number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            channel   text NOT NULL CHECK (channel IN ('mail', 'webhook')),
            person    text NOT NULL,
            people    text[] NOT NULL CHECK (cardinality(people) > 0),
            kind      text NOT NULL,
            project   text NOT NULL,
            subject   text NOT NULL,
            since     timestamptz NOT NULL,
            made_at   timestamptz NOT NULL,
            due_at    timestamptz NOT NULL,
            sent_at   timestamptz,
            attempts  integer NOT NULL DEFAULT 0,
            state     text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'SENT', 'GIVEN_UP')),
            failure   text NOT NULL DEFAULT '',
            UNIQUE (channel, person, kind, project, subject, since)
        )
        """
    )
    op.execute(
        "CREATE INDEX notifications_waiting ON governance.notifications (due_at) WHERE state = 'WAITING'"
    )
    op.execute("REVOKE DELETE ON governance.notifications FROM phems_governance")
