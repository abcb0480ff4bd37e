"""Release requests, their files, votes and comments, and release packages in Postgres."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.adapters.postgres.stores.release_rows import (
    comment_of,
    ended_turn_of,
    file_of,
    request_of,
    vote_of,
)
from phems.domain.release_states import UNDER_REVIEW, ReleaseState
from phems.domain.releases import EndedTurn, FileKind, FrozenFile, ReleaseRequest
from phems.domain.waiting import ON_THEIR_WAY, OWN_TURN

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
        return next(iter(self._whole(rows)), None)

    def of_project(
        self, project: str, *, limit: int | None = None, before: str | None = None
    ) -> Sequence[ReleaseRequest]:
        """Those of a project, newest first; with `before`, those that come after this one."""
        query = (
            "SELECT * FROM governance.release_requests AS r "
            "WHERE project = :project AND (CAST(:before AS text) IS NULL OR EXISTS ("
            "SELECT FROM governance.release_requests AS b WHERE b.project = :project AND b.id = :before "
            "AND (b.requested_at > r.requested_at OR b.requested_at = r.requested_at AND b.id < r.id))) "
            "ORDER BY requested_at DESC, id LIMIT :limit"
        )
        return self._whole(self._rows(query, project=project, limit=limit, before=before))

    def waiting_for(
        self, people: Collection[str], *, reviewed: Collection[str], own: Collection[str]
    ) -> Sequence[ReleaseRequest]:
        """What may wait for people, oldest first."""
        query = (
            "SELECT * FROM governance.release_requests "
            "WHERE (state = ANY(:under_review) AND project = ANY(:reviewed)) "
            "OR (state = ANY(:open) AND project = ANY(:own) AND authors && CAST(:people AS text[])) "
            "ORDER BY requested_at, id"
        )
        return self._whole(
            self._rows(
                query,
                people=list(people),
                reviewed=list(reviewed),
                own=list(own),
                under_review=[state.value for state in UNDER_REVIEW],
                open=[state.value for state in (*OWN_TURN, *ON_THEIR_WAY)],
            )
        )

    def runs_named(self, project: str) -> frozenset[str]:
        """The runs whose files a request of the project has, in any turn and state."""
        query = (
            "SELECT DISTINCT f.run_id FROM governance.release_files f "
            "JOIN governance.release_requests r ON r.id = f.request_id WHERE r.project = :project"
        )
        return frozenset(row.run_id for row in self._rows(query, project=project))

    def in_state(self, states: Collection[ReleaseState]) -> Sequence[str]:
        """The names of the requests in any of `states`, oldest first."""
        query = (
            "SELECT id FROM governance.release_requests WHERE state = ANY(:states) ORDER BY requested_at, id"
        )
        return [row.id for row in self._rows(query, states=[state.value for state in states])]

    def with_file(self, project: str, sha256: str) -> Sequence[ReleaseRequest]:
        """Those of a project in whose present turn a file has these bytes, oldest first."""
        query = (
            "SELECT * FROM governance.release_requests AS r WHERE project = :project AND EXISTS ("
            "SELECT FROM governance.release_files AS f "
            "WHERE f.sha256 = :sha256 AND f.request_id = r.id AND f.turn = r.turn) ORDER BY requested_at, id"
        )
        return self._whole(self._rows(query, project=project, sha256=sha256))

    def save(self, request: ReleaseRequest) -> None:
        """Add it, or bring it up to date."""
        self._do(_SAVE_REQUEST, **_columns(request))
        self._save_files(request)
        self._save_votes(request)
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
                file_group=comment.group,
            )
        for ended in request.ended_turns:
            self._do(_SAVE_TURN, id=request.id, **_turn_columns(ended))

    def _save_files(self, request: ReleaseRequest) -> None:
        for file in request.files:
            values = asdict(file)
            for name in ("group", "kind", "withdrawn_by", "withdrawn_at"):
                del values[name]
            values["declaration"] = json.dumps(file.declaration)
            common = {"id": request.id, "turn": request.turn}
            self._do(_SAVE_FILE, **common, **values, file_group=file.group, kind=file.kind.value)
            if file.kind is FileKind.WITHDRAWN:
                who = {"person": file.withdrawn_by, "at": file.withdrawn_at}
                self._do(_SAVE_WITHDRAWAL, **common, path=file.path, **who)

    def _save_votes(self, request: ReleaseRequest) -> None:
        numbers: Counter[tuple[str, str]] = Counter()
        for vote in (*request.replaced_votes, *request.votes):
            if vote.turn != request.turn:
                continue
            self._do(
                _SAVE_VOTE,
                id=request.id,
                turn=vote.turn,
                path=vote.path,
                checker=vote.checker,
                number=numbers[vote.path, vote.checker],
                vote=vote.vote.value,
                at=vote.at,
                justification=vote.justification,
                reason=vote.reason,
                policy_version=vote.policy_version,
                key_id=vote.signature.key_id if vote.signature else "",
                signature=vote.signature.signature if vote.signature else "",
                nonce=vote.nonce,
            )
            numbers[vote.path, vote.checker] += 1

    def files_of_turn(self, request_id: str, turn: int) -> Sequence[FrozenFile]:
        """The files of one turn, by path."""
        query = (
            "SELECT f.*, w.person AS withdrawn_by, w.at AS withdrawn_at FROM governance.release_files f "
            "LEFT JOIN governance.release_withdrawals w USING (request_id, turn, path) "
            'WHERE request_id = :id AND turn = :turn ORDER BY path COLLATE "C"'
        )
        return [file_of(row) for row in self._rows(query, id=request_id, turn=turn)]

    def announce(self, request_id: str) -> None:
        """Tell the publisher, once the transaction commits."""
        self._do("SELECT pg_notify(:channel, :id)", channel=CHANNEL, id=request_id)

    def _whole(self, rows: Sequence[Row[Any]]) -> list[ReleaseRequest]:
        """Requests with all that belongs to them: as many queries for a thousand as for one."""
        ids = [row.id for row in rows]
        files, votes, comments, turns = (
            _by_request(self._rows(query, ids=ids) if ids else ())
            for query in (_FILES, _VOTES, _COMMENTS, _TURNS)
        )
        return [
            request_of(
                row,
                files=tuple(map(file_of, files[row.id])),
                votes=list(map(vote_of, votes[row.id])),
                comments=tuple(map(comment_of, comments[row.id])),
                ended_turns=tuple(map(ended_turn_of, turns[row.id])),
            )
            for row in rows
        ]

    def _rows(self, query: str, **parameters: Any) -> Sequence[Row[Any]]:
        return self._connection.execute(text(query), parameters).all()

    def _do(self, statement: str, **parameters: Any) -> None:
        self._connection.execute(text(statement), parameters)


def _by_request(rows: Sequence[Row[Any]]) -> Mapping[str, Sequence[Row[Any]]]:
    found: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.request_id].append(row)
    return found


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
        "asked_by": request.asked_by,
        "asked_at": request.asked_at,
    }


def _turn_columns(ended: EndedTurn) -> dict[str, Any]:
    return {
        "turn": ended.turn,
        "asked_by": ended.asked_by,
        "asked_at": ended.asked_at,
        "policy": json.dumps(asdict(ended.policy)),
        "groups": json.dumps([asdict(group) for group in ended.groups]),
        "runs": json.dumps([asdict(run) for run in ended.runs]),
        "state": ended.state.value,
        "opened": ended.opened,
        "decided_by": ended.decided_by,
        "decided_at": ended.decided_at,
        "reason": ended.reason,
    }


_FILES = (
    "SELECT f.*, w.person AS withdrawn_by, w.at AS withdrawn_at FROM governance.release_files f "
    "LEFT JOIN governance.release_withdrawals w USING (request_id, turn, path) "
    "WHERE (request_id, turn) IN "
    "(SELECT id, turn FROM governance.release_requests WHERE id = ANY(:ids)) "
    'ORDER BY path COLLATE "C"'
)
_VOTES = (
    "SELECT * FROM governance.release_votes WHERE request_id = ANY(:ids) "
    "ORDER BY turn, number, at, path, checker"
)
_COMMENTS = "SELECT * FROM governance.release_comments WHERE request_id = ANY(:ids) ORDER BY number"
_TURNS = "SELECT * FROM governance.release_turns WHERE request_id = ANY(:ids) ORDER BY turn"

_SAVE_REQUEST = """
    INSERT INTO governance.release_requests (
        id, project, requester, authors, policy, requested_at, groups, runs, state, turn,
        decided_by, decided_at, reason, released_at, package_digest, asked_by, asked_at
    ) VALUES (
        :id, :project, :requester, :authors, CAST(:policy AS jsonb), :requested_at, CAST(:groups AS jsonb),
        CAST(:runs AS jsonb), :state, :turn, :decided_by, :decided_at, :reason, :released_at, :package_digest,
        :asked_by, :asked_at
    ) ON CONFLICT (id) DO UPDATE SET
        authors = excluded.authors, policy = excluded.policy, groups = excluded.groups, runs = excluded.runs,
        state = excluded.state, turn = excluded.turn, decided_by = excluded.decided_by,
        decided_at = excluded.decided_at, reason = excluded.reason, released_at = excluded.released_at,
        package_digest = excluded.package_digest, asked_by = excluded.asked_by, asked_at = excluded.asked_at
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

# So are votes: one that is changed is another row.
_SAVE_VOTE = """
    INSERT INTO governance.release_votes (
        request_id, turn, path, checker, number, vote, at, justification, reason, policy_version, key_id,
        signature, nonce
    ) VALUES (
        :id, :turn, :path, :checker, :number, :vote, :at, :justification, :reason, :policy_version, :key_id,
        :signature, :nonce
    ) ON CONFLICT DO NOTHING
"""

_SAVE_COMMENT = """
    INSERT INTO governance.release_comments (
        request_id, number, turn, author, text, visibility, at, file_group
    ) VALUES (:id, :number, :turn, :author, :text, :visibility, :at, :file_group) ON CONFLICT DO NOTHING
"""

_SAVE_TURN = """
    INSERT INTO governance.release_turns (
        request_id, turn, asked_by, asked_at, policy, groups, runs, state, opened, decided_by, decided_at,
        reason
    ) VALUES (
        :id, :turn, :asked_by, :asked_at, CAST(:policy AS jsonb), CAST(:groups AS jsonb),
        CAST(:runs AS jsonb), :state, :opened, :decided_by, :decided_at, :reason
    ) ON CONFLICT DO NOTHING
"""

_SAVE_WITHDRAWAL = """
    INSERT INTO governance.release_withdrawals (request_id, turn, path, person, at)
    VALUES (:id, :turn, :path, :person, :at) ON CONFLICT DO NOTHING
"""
