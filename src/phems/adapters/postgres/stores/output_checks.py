"""Findings of output checks in Postgres."""

from __future__ import annotations

import json

from sqlalchemy import Connection, text

from phems.domain.output_checks import CheckReport


class PostgresOutputChecksStore:
    """`OutputCheckStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(self, request_id: str, turn: int, report: CheckReport) -> None:
        """Keep the report of a turn. A second one of the same turn is an error: findings do not change."""
        kept = report.as_json()
        self._connection.execute(
            text(
                "INSERT INTO governance.output_checks (request_id, turn, findings, tools) "
                "VALUES (:id, :turn, CAST(:findings AS jsonb), CAST(:tools AS jsonb))"
            ),
            {
                "id": request_id,
                "turn": turn,
                "findings": json.dumps(kept["findings"]),
                "tools": json.dumps(kept["tools"]),
            },
        )

    def of(self, request_id: str, turn: int) -> CheckReport | None:
        """The report of a turn."""
        row = self._connection.execute(
            text(
                "SELECT findings, tools FROM governance.output_checks WHERE request_id = :id AND turn = :turn"
            ),
            {"id": request_id, "turn": turn},
        ).first()
        return CheckReport.from_json({"findings": row.findings, "tools": row.tools}) if row else None
