"""The engine's own: attempts of steps with the worker that answers for each, and the workers."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE engine.workers (
            id           text PRIMARY KEY,
            pool         text NOT NULL,
            project      text NOT NULL,
            host         text NOT NULL,
            pid          integer NOT NULL,
            concurrency  integer NOT NULL,
            beats        bigint NOT NULL DEFAULT 0,
            started_at   timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(
        """
        CREATE TABLE engine.step_attempts (
            run_id       text NOT NULL,
            step_key     text NOT NULL,
            attempt      integer NOT NULL CHECK (attempt > 0),
            project      text NOT NULL,
            code_digest  text NOT NULL,
            priority     integer NOT NULL,
            known_state  text NOT NULL,
            state        text NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'ENDED')),
            worker       text,
            offered_at   timestamptz NOT NULL DEFAULT now(),
            ended        jsonb,
            ended_at     timestamptz,
            PRIMARY KEY (run_id, step_key, attempt),
            CHECK (state <> 'RUNNING' OR worker IS NOT NULL),
            CHECK ((state = 'ENDED') = (ended IS NOT NULL))
        )
        """
    )
    op.execute(
        "CREATE INDEX step_attempts_open ON engine.step_attempts (project, state, offered_at) "
        "WHERE state <> 'ENDED'"
    )
    op.execute("CREATE INDEX step_attempts_of_worker ON engine.step_attempts (worker) WHERE state <> 'ENDED'")
