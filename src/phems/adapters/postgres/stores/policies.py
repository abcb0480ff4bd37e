"""Policy versions in Postgres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.domain.canonical import canonical, digest, parse
from phems.domain.policy_versions import UNVERSIONED, PolicyRecord, PolicyState, PolicyVersion
from phems.errors import IntegrityError

CHANNEL = "phems_policy"


class PostgresPoliciesStore:
    """`PolicyStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Hold all versions until the transaction ends."""
        self._connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('phems policy', 0))"))

    def current(self, project: str) -> PolicyVersion:
        """The version in force."""
        found = self._select("scope = :scope AND state = 'IN_FORCE'", scope=project)
        return found[0].version if found else UNVERSIONED

    def in_force(self) -> Mapping[str, PolicyVersion]:
        """The versions in force, by scope."""
        return {record.scope: record.version for record in self._select("state = 'IN_FORCE'")}

    def get(self, scope: str, number: int) -> PolicyRecord | None:
        """A version of a scope."""
        return next(
            iter(self._select("scope = :scope AND number = :number", scope=scope, number=number)), None
        )

    def of_scope(self, scope: str) -> Sequence[PolicyRecord]:
        """All versions of a scope, newest first."""
        return self._select("scope = :scope", scope=scope)

    def pending(self) -> Sequence[PolicyRecord]:
        """The versions that wait for a second person."""
        return self._select("state = 'PENDING'")

    def save(self, record: PolicyRecord) -> None:
        """Add it, or bring its state and decision up to date; its content never changes."""
        self._connection.execute(
            text(
                """
                INSERT INTO governance.policy_versions (
                    scope, number, digest, content, state, proposed_by, proposed_at,
                    decided_by, decided_at, reason
                ) VALUES (
                    :scope, :number, :digest, :content, :state, :proposed_by, :proposed_at,
                    :decided_by, :decided_at, :reason
                ) ON CONFLICT (scope, number) DO UPDATE SET
                    state = excluded.state, decided_by = excluded.decided_by,
                    decided_at = excluded.decided_at, reason = excluded.reason
                """
            ),
            {
                "scope": record.scope,
                "number": record.version.number,
                "digest": record.version.digest,
                "content": canonical(record.version.content).decode(),
                "state": record.state.value,
                "proposed_by": record.proposed_by,
                "proposed_at": record.proposed_at,
                "decided_by": record.decided_by,
                "decided_at": record.decided_at,
                "reason": record.reason,
            },
        )

    def announce(self, scope: str) -> None:
        """Tell the running node, once the transaction commits."""
        self._connection.execute(
            text("SELECT pg_notify(:channel, :scope)"), {"channel": CHANNEL, "scope": scope}
        )

    def _select(self, condition: str, **values: Any) -> list[PolicyRecord]:
        query = (
            f"SELECT * FROM governance.policy_versions WHERE {condition} "  # noqa: S608
            "ORDER BY scope, number DESC"
        )
        return [_record(row) for row in self._connection.execute(text(query), values)]


def _record(row: Row[Any]) -> PolicyRecord:
    content = parse(row.content)
    if digest(content) != row.digest:
        raise IntegrityError(
            f"Policy version {row.number} of {row.scope or 'the node'} is not what was adopted.",
            why="its content does not have its digest: it was changed in the database.",
            remedy="phems audit verify; then restore the database from a backup.",
        )
    return PolicyRecord(
        scope=row.scope,
        version=PolicyVersion(row.number, row.digest, content),
        state=PolicyState(row.state),
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        reason=row.reason,
    )
