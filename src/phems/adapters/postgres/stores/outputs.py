"""Registered outputs in Postgres."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, text

from phems.domain.outputs import Output

_COLUMNS = "project, run_id, step_key, path, sha256, size, media_type, at, declaration"


class PostgresOutputsStore:
    """`OutputStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, output: Output) -> None:
        """Put one on record."""
        self._connection.execute(
            text(
                f"INSERT INTO governance.outputs ({_COLUMNS}) "  # noqa: S608
                "VALUES (:project, :run_id, :step_key, :path, :sha256, :size, :media_type, :at, "
                "NULLIF(CAST(:declaration AS jsonb), 'null'))"
            ),
            {**asdict(output), "declaration": json.dumps(output.declaration)},
        )

    def of_run(self, project: str, run_id: str) -> Sequence[Output]:
        """The outputs of one run, the last of each path, by path."""
        return self._select(
            f"SELECT DISTINCT ON (path) {_COLUMNS} FROM governance.outputs "  # noqa: S608
            "WHERE project = :project AND run_id = :run_id ORDER BY path, id DESC",
            project=project,
            run_id=run_id,
        )

    def find(self, project: str, path: str) -> Output | None:
        """The output last registered under a path."""
        found = self._select(
            f"SELECT {_COLUMNS} FROM governance.outputs "  # noqa: S608
            "WHERE project = :project AND path = :path ORDER BY id DESC LIMIT 1",
            project=project,
            path=path,
        )
        return found[0] if found else None

    def with_digest(self, project: str, sha256: str) -> Sequence[Output]:
        """The outputs of a project that hold these bytes, oldest first."""
        return self._select(
            f"SELECT {_COLUMNS} FROM (SELECT DISTINCT ON (run_id, path) * FROM governance.outputs "  # noqa: S608
            "WHERE project = :project AND sha256 = :sha256 ORDER BY run_id, path, id DESC) AS last "
            "ORDER BY id",
            project=project,
            sha256=sha256,
        )

    def of_project(self, project: str, *, limit: int = 1000) -> Sequence[Output]:
        """The outputs of a project, newest first."""
        return self._select(
            f"SELECT {_COLUMNS} FROM (SELECT DISTINCT ON (run_id, path) * FROM governance.outputs "  # noqa: S608
            "WHERE project = :project ORDER BY run_id, path, id DESC) AS last ORDER BY id DESC LIMIT :limit",
            project=project,
            limit=limit,
        )

    def _select(self, query: str, **parameters: Any) -> list[Output]:
        return [Output(**row) for row in self._connection.execute(text(query), parameters).mappings()]
