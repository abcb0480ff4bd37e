"""Release requests, their files, votes and comments, and release packages in Postgres."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.adapters.postgres.stores.release_rows import comment_of, file_of, request_of, vote_of
from phems.domain.release_states import ReleaseState
from phems.domain.releases import FrozenFile, ReleaseRequest
from phems.services.ports.releases import PackageRecord

CHANNEL = "phems_release"


class PostgresReleasesStore:
    """`ReleaseStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, request_id: str, *, lock: bool = False) -> ReleaseRequest | None:
        """A request; with `lock`, held until the transaction ends."""
        query = "SELECT * FROM governance.release_requests WHERE id = :id"
        if lock:
            query += " FOR UPDATE"
        rows = self._rows(query, id=request_id)
        return self._whole(rows[0]) if rows else None

    def of_project(self, project: str) -> Sequence[ReleaseRequest]:
        """All of a project, newest first."""
        query = (
            "SELECT * FROM governance.release_requests "
            "WHERE project = :project ORDER BY requested_at DESC, id"
        )
        return [self._whole(row) for row in self._rows(query, project=project)]

    def in_state(self, states: Collection[ReleaseState]) -> Sequence[str]:
        """The names of the requests in any of `states`, oldest first."""
        query = (
            "SELECT id FROM governance.release_requests WHERE state = ANY(:states) ORDER BY requested_at, id"
        )
        return [row.id for row in self._rows(query, states=[state.value for state in states])]

    def save(self, request: ReleaseRequest) -> None:
        """Add it, or bring it up to date."""
        self._do(_SAVE_REQUEST, **_columns(request))
        common = {"id": request.id, "turn": request.turn}
        for file in request.files:
            values = {key: value for key, value in asdict(file).items() if key not in ("group", "kind")}
            values["declaration"] = json.dumps(file.declaration)
            self._do(_SAVE_FILE, **common, **values, file_group=file.group, kind=file.kind.value)
        for vote in request.votes:
            if vote.turn == request.turn:
                self._do(
                    _SAVE_VOTE,
                    **common,
                    path=vote.path,
                    checker=vote.checker,
                    vote=vote.vote.value,
                    at=vote.at,
                )
        for number, comment in enumerate(request.comments):
            self._do(
                _SAVE_COMMENT,
                id=request.id,
                number=number,
                turn=comment.turn,
                author=comment.by,
                text=comment.text,
                visibility=comment.visibility.value,
                at=comment.at,
            )

    def files_of_turn(self, request_id: str, turn: int) -> Sequence[FrozenFile]:
        """The files of one turn, by path."""
        query = (
            "SELECT * FROM governance.release_files WHERE request_id = :id AND turn = :turn "
            'ORDER BY path COLLATE "C"'
        )
        return [file_of(row) for row in self._rows(query, id=request_id, turn=turn)]

    def add_package(self, request_id: str, manifest: bytes) -> None:
        """Keep the manifest of the package that is about to be placed."""
        self._do(
            "INSERT INTO governance.release_packages (request_id, manifest) VALUES (:id, :manifest)",
            id=request_id,
            manifest=manifest,
        )

    def package(self, request_id: str) -> PackageRecord | None:
        """The package of a request that was released."""
        rows = self._rows("SELECT * FROM governance.release_packages WHERE request_id = :id", id=request_id)
        return PackageRecord(rows[0].request_id, bytes(rows[0].manifest), rows[0].placed_at) if rows else None

    def mark_placed(self, request_id: str, at: datetime) -> None:
        """Note that the whole package lies in the release zone."""
        self._do(
            "UPDATE governance.release_packages SET placed_at = :at "
            "WHERE request_id = :id AND placed_at IS NULL",
            id=request_id,
            at=at,
        )

    def unplaced(self) -> Sequence[str]:
        """The names of the requests whose package may not lie in the release zone yet."""
        query = (
            "SELECT request_id FROM governance.release_packages WHERE placed_at IS NULL ORDER BY request_id"
        )
        return [row.request_id for row in self._rows(query)]

    def announce(self, request_id: str) -> None:
        """Tell the publisher, once the transaction commits."""
        self._do("SELECT pg_notify(:channel, :id)", channel=CHANNEL, id=request_id)

    def _whole(self, row: Row[Any]) -> ReleaseRequest:
        votes = self._rows(
            "SELECT * FROM governance.release_votes WHERE request_id = :id ORDER BY turn, at, path, checker",
            id=row.id,
        )
        comments = self._rows(
            "SELECT * FROM governance.release_comments WHERE request_id = :id ORDER BY number", id=row.id
        )
        return request_of(
            row,
            files=tuple(self.files_of_turn(row.id, row.turn)),
            votes=tuple(vote_of(vote) for vote in votes),
            comments=tuple(comment_of(comment) for comment in comments),
        )

    def _rows(self, query: str, **parameters: Any) -> Sequence[Row[Any]]:
        return self._connection.execute(text(query), parameters).all()

    def _do(self, statement: str, **parameters: Any) -> None:
        self._connection.execute(text(statement), parameters)


def _columns(request: ReleaseRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "project": request.project,
        "requester": request.requester,
        "authors": sorted(request.authors),
        "policy": json.dumps(asdict(request.policy)),
        "requested_at": request.requested_at,
        "groups": json.dumps([asdict(group) for group in request.groups]),
        "runs": json.dumps([asdict(run) for run in request.runs]),
        "state": request.state.value,
        "turn": request.turn,
        "decided_by": request.decided_by,
        "decided_at": request.decided_at,
        "reason": request.reason,
        "released_at": request.released_at,
        "package_digest": request.package_digest,
    }


_SAVE_REQUEST = """
    INSERT INTO governance.release_requests (
        id, project, requester, authors, policy, requested_at, groups, runs, state, turn,
        decided_by, decided_at, reason, released_at, package_digest
    ) VALUES (
        :id, :project, :requester, :authors, CAST(:policy AS jsonb), :requested_at, CAST(:groups AS jsonb),
        CAST(:runs AS jsonb), :state, :turn, :decided_by, :decided_at, :reason, :released_at, :package_digest
    ) ON CONFLICT (id) DO UPDATE SET
        authors = excluded.authors, policy = excluded.policy, groups = excluded.groups, runs = excluded.runs,
        state = excluded.state, turn = excluded.turn, decided_by = excluded.decided_by,
        decided_at = excluded.decided_at, reason = excluded.reason, released_at = excluded.released_at,
        package_digest = excluded.package_digest
"""

# What was frozen is never written over: a file of a turn stays as it was reviewed.
_SAVE_FILE = """
    INSERT INTO governance.release_files (
        request_id, turn, path, sha256, size, media_type, run_id, step_key, file_group, kind, declaration
    ) VALUES (
        :id, :turn, :path, :sha256, :size, :media_type, :run_id, :step_key, :file_group, :kind,
        NULLIF(CAST(:declaration AS jsonb), 'null')
    ) ON CONFLICT DO NOTHING
"""

_SAVE_VOTE = """
    INSERT INTO governance.release_votes (request_id, turn, path, checker, vote, at)
    VALUES (:id, :turn, :path, :checker, :vote, :at)
    ON CONFLICT (request_id, turn, path, checker) DO UPDATE SET vote = excluded.vote, at = excluded.at
"""

_SAVE_COMMENT = """
    INSERT INTO governance.release_comments (request_id, number, turn, author, text, visibility, at)
    VALUES (:id, :number, :turn, :author, :text, :visibility, :at) ON CONFLICT DO NOTHING
"""
