"""Policy versions, run capsules as documents, approvals of run capsules and their use.

Versions and capsules are written once: the governance role has no right to delete, and a trigger lets a
version change in its state and decision alone.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE governance.policy_versions (
            scope        text NOT NULL,
            number       integer NOT NULL CHECK (number > 0),
            digest       text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
            content      text NOT NULL,
            state        text NOT NULL
                CHECK (state IN ('PENDING', 'IN_FORCE', 'REPLACED', 'REJECTED', 'WITHDRAWN')),
            proposed_by  text NOT NULL,
            proposed_at  timestamptz NOT NULL,
            decided_by   text,
            decided_at   timestamptz,
            reason       text NOT NULL,
            PRIMARY KEY (scope, number)
        )
        """
    )
    for name, state in (("one_policy_in_force", "IN_FORCE"), ("one_pending_policy", "PENDING")):
        op.execute(
            f"CREATE UNIQUE INDEX {name} ON governance.policy_versions (scope) WHERE state = '{state}'"
        )
    op.execute(
        """
        CREATE FUNCTION governance.refuse_policy_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (OLD.scope, OLD.number, OLD.digest, OLD.content, OLD.proposed_by, OLD.proposed_at)
                IS DISTINCT FROM
                (NEW.scope, NEW.number, NEW.digest, NEW.content, NEW.proposed_by, NEW.proposed_at) THEN
                RAISE EXCEPTION 'the content of a policy version never changes'
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER policy_content_stays BEFORE UPDATE ON governance.policy_versions
            FOR EACH ROW EXECUTE FUNCTION governance.refuse_policy_change()
        """
    )
    op.execute(
        """
        CREATE TABLE governance.capsules (
            digest    text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),
            project   text NOT NULL,
            document  text NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX capsules_by_project ON governance.capsules (project)")
    op.execute("CREATE INDEX run_admissions_by_capsule ON governance.run_admissions (capsule)")
    op.execute("ALTER TABLE governance.run_submissions ADD capsule text NOT NULL DEFAULT ''")
    op.execute(
        """
        CREATE TABLE governance.capsule_approvals (
            project         text NOT NULL,
            capsule         text NOT NULL REFERENCES governance.capsules (digest),
            state           text NOT NULL CHECK (state IN ('REQUESTED', 'APPROVED', 'REJECTED', 'REVOKED')),
            asked_by        text NOT NULL,
            asked_at        timestamptz NOT NULL,
            decided_by      text,
            decided_at      timestamptz,
            reason          text NOT NULL,
            times           integer NOT NULL CHECK (times >= 0),
            expires_at      timestamptz,
            policy_version  text NOT NULL,
            key_id          text NOT NULL,
            signature       text NOT NULL,
            PRIMARY KEY (capsule)
        )
        """
    )
    op.execute(
        "CREATE INDEX capsule_approvals_by_project ON governance.capsule_approvals (project, asked_at DESC)"
    )
    op.execute(
        """
        CREATE TABLE governance.capsule_uses (
            capsule  text NOT NULL REFERENCES governance.capsule_approvals (capsule),
            run_id   text NOT NULL,
            at       timestamptz NOT NULL,
            PRIMARY KEY (capsule, run_id)
        )
        """
    )
    op.execute(
        "REVOKE DELETE, TRUNCATE ON governance.policy_versions, governance.capsules, "
        "governance.capsule_approvals, governance.capsule_uses FROM phems_governance"
    )
    op.execute("REVOKE UPDATE ON governance.capsules, governance.capsule_uses FROM phems_governance")
