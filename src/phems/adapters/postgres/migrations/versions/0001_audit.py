"""The audit log's table: rows can be added and read, never changed or removed.

Refused twice: by grant (the governance role has INSERT and SELECT alone) and by trigger (for
everyone, the owner included). Who may drop a trigger can still rewrite history; that is not
prevented but detected, by the hash chain and the signed checkpoint (see `phems audit verify`).
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE audit.entry (
            seq         bigint PRIMARY KEY CHECK (seq > 0),
            at          timestamptz NOT NULL,
            actor       text NOT NULL,
            actor_kind  text NOT NULL CHECK (actor_kind IN ('person', 'system')),
            action      text NOT NULL,
            subject     text NOT NULL,
            project     text,
            result      text NOT NULL,
            details     jsonb NOT NULL,
            canonical   text NOT NULL,
            prev_hash   text NOT NULL CHECK (prev_hash ~ '^[0-9a-f]{64}$'),
            hash        text NOT NULL UNIQUE CHECK (hash ~ '^[0-9a-f]{64}$')
        )
        """
    )
    op.execute(
        """
        CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the audit log is append-only: % is refused', TG_OP
                USING ERRCODE = 'insufficient_privilege';
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER entry_is_append_only BEFORE UPDATE OR DELETE ON audit.entry
            FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()
        """
    )
    op.execute(
        """
        CREATE TRIGGER entry_is_never_emptied BEFORE TRUNCATE ON audit.entry
            FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()
        """
    )
    # ALWAYS: `SET session_replication_role = replica` does not switch them off.
    op.execute("ALTER TABLE audit.entry ENABLE ALWAYS TRIGGER entry_is_append_only")
    op.execute("ALTER TABLE audit.entry ENABLE ALWAYS TRIGGER entry_is_never_emptied")
    op.execute("REVOKE ALL ON audit.entry FROM PUBLIC")
    op.execute("GRANT SELECT, INSERT ON audit.entry TO phems_governance")
    op.execute("CREATE INDEX entry_by_project ON audit.entry (project, seq)")
