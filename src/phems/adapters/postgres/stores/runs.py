"""Submissions and admissions of runs in Postgres."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, text

from phems.services.ports.runs import RunAdmission, RunSubmission


class PostgresRunsStore:
    """`RunStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_submission(self, submission: RunSubmission) -> None:
        """Record one."""
        self._connection.execute(
            text(
                "INSERT INTO governance.run_submissions (run_id, project, requester, code_digest, "
                "fingerprint, needed_sources, at) VALUES (:run_id, :project, :requester, :code_digest, "
                ":fingerprint, :needed_sources, :at)"
            ),
            {**asdict(submission), "needed_sources": list(submission.needed_sources)},
        )

    def submission(self, run_id: str) -> RunSubmission | None:
        """What is known of how a run was asked for."""
        row = self._connection.execute(
            text(
                "SELECT run_id, project, requester, code_digest, fingerprint, needed_sources, at "
                "FROM governance.run_submissions WHERE run_id = :run_id"
            ),
            {"run_id": run_id},
        ).first()
        if row is None:
            return None
        fields = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's documented way to a row's names)
        return RunSubmission(**{**fields, "needed_sources": tuple(fields["needed_sources"])})

    def add_admission(self, admission: RunAdmission) -> None:
        """Record one; the first of a run stays."""
        self._connection.execute(
            text(
                "INSERT INTO governance.run_admissions (run_id, project, code_digest, capsule, at) "
                "VALUES (:run_id, :project, :code_digest, :capsule, :at) ON CONFLICT (run_id) DO NOTHING"
            ),
            asdict(admission),
        )

    def admission(self, run_id: str) -> RunAdmission | None:
        """The admission of a run."""
        row = self._connection.execute(
            text(
                "SELECT run_id, project, code_digest, capsule, at FROM governance.run_admissions "
                "WHERE run_id = :run_id"
            ),
            {"run_id": run_id},
        ).first()
        return None if row is None else RunAdmission(**row._mapping)  # noqa: SLF001
