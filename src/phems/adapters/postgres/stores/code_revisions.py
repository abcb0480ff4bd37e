"""Code revisions and the approvals on them in Postgres."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.domain.approvals import Approval, Signature
from phems.domain.code_revisions import CodeRevision, CodeRevisionState
from phems.domain.waiting import UNDECIDED_CODE

CHANNEL = "phems_code"


class PostgresCodeRevisionsStore:
    """`CodeRevisionStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self, project: str) -> None:
        """Hold the project's code revisions until the transaction ends."""
        self._connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended('phems code ' || :project, 0))"),
            {"project": project},
        )

    def get(self, project: str, commit: str) -> CodeRevision | None:
        """A code revision by its full commit name."""
        return next(iter(self._select("commit = :commit", project, commit=commit)), None)

    def find(self, project: str, prefix: str) -> Sequence[CodeRevision]:
        """The code revisions whose commit name begins with `prefix`."""
        return self._select("starts_with(commit, :prefix)", project, prefix=prefix)

    def of_project(self, project: str) -> Sequence[CodeRevision]:
        """All of a project, newest submission first."""
        return self._select("true", project)

    def undecided(self, projects: Collection[str]) -> Sequence[CodeRevision]:
        """Those of some projects that wait for approvals."""
        states = [state.value for state in UNDECIDED_CODE]
        where = "project = ANY(:projects) AND state = ANY(:states)"
        return self._where(where, projects=list(projects), states=states)

    def approved(self, project: str) -> CodeRevision | None:
        """The one that is APPROVED now, if any."""
        return next(iter(self._select("state = 'APPROVED'", project)), None)

    def save(self, revision: CodeRevision) -> None:
        """Add it, or bring it up to date. What the commit is (digest, branch, subject) never changes."""
        self._connection.execute(
            text(
                """
                INSERT INTO governance.code_revisions (
                    project, commit, digest, environment_digest, branch, subject, authors, submitter,
                    submitted_at, turn, state, decided_by, decided_at, reason, stop_runs
                ) VALUES (
                    :project, :commit, :digest, :environment_digest, :branch, :subject, :authors, :submitter,
                    :submitted_at, :turn, :state, :decided_by, :decided_at, :reason, :stop_runs
                ) ON CONFLICT (project, commit) DO UPDATE SET
                    authors = excluded.authors, submitter = excluded.submitter,
                    submitted_at = excluded.submitted_at, turn = excluded.turn, state = excluded.state,
                    decided_by = excluded.decided_by, decided_at = excluded.decided_at,
                    reason = excluded.reason, stop_runs = excluded.stop_runs
                """
            ),
            {
                "project": revision.project,
                "commit": revision.commit,
                "digest": revision.digest,
                "environment_digest": revision.environment_digest,
                "branch": revision.branch,
                "subject": revision.subject,
                "authors": sorted(revision.authors),
                "submitter": revision.submitter,
                "submitted_at": revision.submitted_at,
                "turn": revision.turn,
                "state": revision.state.value,
                "decided_by": revision.decided_by,
                "decided_at": revision.decided_at,
                "reason": revision.reason,
                "stop_runs": revision.stop_runs,
            },
        )
        for approval in revision.approvals:
            self._save_approval(revision, approval)

    def announce(self, project: str) -> None:
        """Tell the running node, once the transaction commits."""
        self._connection.execute(
            text("SELECT pg_notify(:channel, :project)"), {"channel": CHANNEL, "project": project}
        )

    def _save_approval(self, revision: CodeRevision, approval: Approval) -> None:
        self._connection.execute(
            text(
                """
                INSERT INTO governance.code_approvals (
                    project, commit, turn, approver, at, note, policy_version, key_id, signature
                ) VALUES (
                    :project, :commit, :turn, :approver, :at, :note, :policy_version, :key_id, :signature
                ) ON CONFLICT DO NOTHING
                """
            ),
            {
                "project": revision.project,
                "commit": revision.commit,
                "turn": approval.turn,
                "approver": approval.approver,
                "at": approval.at,
                "note": approval.note,
                "policy_version": approval.policy_version,
                "key_id": approval.signature.key_id if approval.signature else "",
                "signature": approval.signature.signature if approval.signature else "",
            },
        )

    def _select(self, condition: str, project: str, **parameters: Any) -> list[CodeRevision]:
        return self._where(f"project = :project AND {condition}", project=project, **parameters)

    def _where(self, condition: str, **parameters: Any) -> list[CodeRevision]:
        """The revisions with their approvals: two queries, however many there are."""
        query = (
            f"SELECT * FROM governance.code_revisions WHERE {condition} "  # noqa: S608
            "ORDER BY project, submitted_at DESC, commit"
        )
        revisions = [_revision(row) for row in self._connection.execute(text(query), parameters)]
        approvals = self._approvals(revisions)
        return [
            replace(revision, approvals=tuple(approvals[revision.project, revision.commit]))
            for revision in revisions
        ]

    def _approvals(self, revisions: Sequence[CodeRevision]) -> Mapping[tuple[str, str], Sequence[Approval]]:
        found: defaultdict[tuple[str, str], list[Approval]] = defaultdict(list)
        if revisions:
            rows = self._connection.execute(
                text(
                    "SELECT * FROM governance.code_approvals WHERE commit = ANY(:commits) "
                    "ORDER BY turn, at, approver, key_id"
                ),
                {"commits": [revision.commit for revision in revisions]},
            )
            for row in rows:
                found[row.project, row.commit].append(_approval(row))
        return found


def _revision(row: Row[Any]) -> CodeRevision:
    return CodeRevision(
        project=row.project,
        commit=row.commit,
        digest=row.digest,
        environment_digest=row.environment_digest,
        branch=row.branch,
        subject=row.subject,
        authors=frozenset(row.authors),
        submitter=row.submitter,
        submitted_at=row.submitted_at,
        turn=row.turn,
        state=CodeRevisionState(row.state),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        reason=row.reason,
        stop_runs=row.stop_runs,
    )


def _approval(row: Row[Any]) -> Approval:
    signature = Signature(row.key_id, row.signature) if row.key_id else None
    return Approval(row.approver, row.at, row.turn, row.note, row.policy_version, signature)
