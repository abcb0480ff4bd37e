"""Submissions and admissions of runs, and their capsules, in Postgres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.domain.canonical import canonical, digest, parse
from phems.domain.policy_versions import UNVERSIONED, PolicyVersion
from phems.errors import IntegrityError
from phems.services.ports.runs import CapsuleDocument, RunAdmission, RunCase, RunSubmission

# Of the revisions with a digest the one that may run first; of others, the last submitted.
_CODE = """
    (SELECT commit FROM governance.code_revisions r
     WHERE r.project = {project} AND r.digest = {digest}
     ORDER BY r.state IN ('APPROVED', 'REPLACED') DESC, r.submitted_at DESC LIMIT 1) AS commit,
    (SELECT number || ':' || digest FROM governance.policy_versions p
     WHERE p.scope = {project} AND p.state = 'IN_FORCE') AS policy
"""
_SUBMISSION = "run_id, project, requester, code_digest, fingerprint, needed_sources, at, capsule"


class PostgresRunsStore:
    """`RunStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_submission(self, submission: RunSubmission) -> None:
        """Record one, and that lineage has to tell of it."""
        self._connection.execute(
            text(
                "WITH untold AS (INSERT INTO governance.lineage_untold (run_id, project) "  # noqa: S608
                "VALUES (:run_id, :project)) "
                f"INSERT INTO governance.run_submissions ({_SUBMISSION}) VALUES (:run_id, :project, "
                ":requester, :code_digest, :fingerprint, :needed_sources, :at, :capsule)"
            ),
            {**asdict(submission), "needed_sources": list(submission.needed_sources)},
        )

    def submission(self, run_id: str) -> RunSubmission | None:
        """What is known of how a run was asked for."""
        row = self._connection.execute(
            text(f"SELECT {_SUBMISSION} FROM governance.run_submissions WHERE run_id = :run_id"),  # noqa: S608
            {"run_id": run_id},
        ).first()
        return None if row is None else _submission(row)

    def case(self, run_id: str) -> RunCase | None:
        """What admission asks about a run."""
        row = self._connection.execute(
            text(
                "SELECT s.*, a.capsule AS admitted_capsule, a.at AS admitted_at, "  # noqa: S608
                f"{_CODE.format(project='s.project', digest='s.code_digest')} "
                "FROM governance.run_submissions s LEFT JOIN governance.run_admissions a USING (run_id) "
                "WHERE s.run_id = :run_id"
            ),
            {"run_id": run_id},
        ).first()
        if row is None:
            return None
        submission = _submission(row)
        admission = None
        if row.admitted_at is not None:
            admission = RunAdmission(
                run_id, submission.project, submission.code_digest, row.admitted_capsule, row.admitted_at
            )
        return RunCase(submission, admission, row.commit, _label(row))

    def code_of(self, project: str, code_digest: str) -> tuple[str | None, str]:
        """The commit of a code revision with this digest, and the policy version in force."""
        row = self._connection.execute(
            text(f"SELECT {_CODE.format(project=':project', digest=':digest')}"),
            {"project": project, "digest": code_digest},
        ).one()
        return row.commit, _label(row)

    def add_admission(self, admission: RunAdmission, document: Mapping[str, Any] | None = None) -> None:
        """Record one with its capsule, in one round trip; the first of a run stays."""
        insert = (
            "INSERT INTO governance.run_admissions (run_id, project, code_digest, capsule, at) "
            "VALUES (:run_id, :project, :code_digest, :capsule, :at) ON CONFLICT (run_id) DO NOTHING"
        )
        values = {name: value for name, value in vars(admission).items() if name != "data"}
        if document is not None:
            insert = f"WITH kept AS ({_KEEP_CAPSULE}) {insert}"
            values["document"] = canonical(document).decode()
        self._connection.execute(text(insert), values)

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

    def code_digests(self, project: str) -> Mapping[str, str]:
        """The content digest of the code of each run of a project that was let through."""
        rows = self._connection.execute(
            text("SELECT run_id, code_digest FROM governance.run_admissions WHERE project = :project"),
            {"project": project},
        )
        return {row.run_id: row.code_digest for row in rows}

    def add_capsule(self, capsule: CapsuleDocument) -> None:
        """Keep a capsule in full."""
        self._connection.execute(
            text(_KEEP_CAPSULE),
            {
                "capsule": capsule.digest,
                "project": capsule.project,
                "document": canonical(capsule.document).decode(),
            },
        )

    def capsule(self, digest_: str) -> CapsuleDocument | None:
        """A capsule in full, verified."""
        row = self._connection.execute(
            text("SELECT digest, project, document FROM governance.capsules WHERE digest = :digest"),
            {"digest": digest_},
        ).first()
        if row is None:
            return None
        document = parse(row.document)
        if digest(document) != row.digest or document.get("project") != row.project:
            raise IntegrityError(
                f"The run capsule {row.digest[:12]} is not what its digest names.",
                why="its document was changed in the database.",
                remedy="phems audit verify; then restore the database from a backup.",
            )
        return CapsuleDocument(row.digest, row.project, document)

    def capsule_named(self, project: str, prefix: str) -> tuple[str, ...]:
        """The digests of the project's capsules that begin so, or that of a run that begins so."""
        rows = self._connection.execute(
            text(
                "SELECT digest FROM governance.capsules "
                "WHERE project = :project AND starts_with(digest, :prefix) "
                "UNION SELECT capsule FROM governance.run_admissions "
                "WHERE project = :project AND starts_with(run_id, :prefix) LIMIT 2"
            ),
            {"project": project, "prefix": prefix},
        )
        return tuple(row.digest for row in rows)


_KEEP_CAPSULE = (
    "INSERT INTO governance.capsules (digest, project, document) "
    "VALUES (:capsule, :project, :document) ON CONFLICT (digest) DO NOTHING"
)


def _label(row: Row[Any]) -> str:
    if row.policy is None:
        return UNVERSIONED.label
    number, _, found = row.policy.partition(":")
    return PolicyVersion(int(number), found, {}).label


def _submission(row: Row[Any]) -> RunSubmission:
    fields = {name: getattr(row, name) for name in _SUBMISSION.split(", ")}
    return RunSubmission(**{**fields, "needed_sources": tuple(fields["needed_sources"])})
