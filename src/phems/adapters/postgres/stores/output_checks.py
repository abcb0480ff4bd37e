"""Findings of output checks in Postgres."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

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
        return self.of_many([(request_id, turn)]).get((request_id, turn))

    def of_many(self, turns: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], CheckReport]:
        """The reports of several turns, in one query."""
        rows = self._connection.execute(
            text(
                "SELECT request_id, turn, findings, tools FROM governance.output_checks "
                "WHERE (request_id, turn) IN "
                "(SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:turns AS integer[])))"
            ),
            {"ids": [name for name, _ in turns], "turns": [turn for _, turn in turns]},
        )
        return {
            (row.request_id, row.turn): CheckReport.from_json({"findings": row.findings, "tools": row.tools})
            for row in rows
        }
