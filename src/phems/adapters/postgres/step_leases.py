"""Leases of step attempts in Postgres (`engine.leases`), and the word that goes round when one ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.reconnect import done_again
from phems.engine.host_connection import StepEnd
from phems.engine.leases import NotTaken, TakenStep
from phems.engine.step_queue import LastAttempt, StepTask, WorkerBeat, WorkerFacts
from phems.errors import RefusedError, UnavailableError

ENDED_CHANNEL = "phems_step_ended"
# Postgres carries less than 8,000 bytes in a notification; who gets none of the end looks it up.
_LONGEST_NOTICE = 7_000
_LONGEST_NOTE = 2_000

_TASK = "project, code_digest, run_id, step_key, attempt, priority"
_OFFER = text(
    f"INSERT INTO engine.step_attempts ({_TASK}, known_state, state) VALUES "  # noqa: S608 (constants)
    "(:project, :code_digest, :run_id, :step_key, :attempt, :priority, :known_state, 'QUEUED') "
    "ON CONFLICT DO NOTHING"
)
_TAKE_BACK = text(
    "UPDATE engine.step_attempts SET state = 'ENDED', ended_at = now(), ended = CAST(:ended AS jsonb) "  # noqa: S608
    f"WHERE run_id = :run_id AND state = 'QUEUED' RETURNING {_TASK}"
)
_LAST = text(
    "SELECT DISTINCT ON (step_key) step_key, attempt, state <> 'ENDED' AS is_open "
    "FROM engine.step_attempts WHERE run_id = :run_id ORDER BY step_key, attempt DESC"
)
_ENDED = text(
    "SELECT project, run_id, step_key, attempt, ended FROM engine.step_attempts "
    "WHERE run_id = ANY(:run_ids) AND state = 'ENDED' AND ended_at > now() - make_interval(secs => :within)"
)
_UNHELD = "state = 'QUEUED' AND worker IS NULL AND offered_at < now() - make_interval(secs => :age)"
_WAITING = text(
    f"SELECT {_TASK} FROM engine.step_attempts "  # noqa: S608
    f"WHERE project = :project AND {_UNHELD} ORDER BY offered_at"
)
_COUNT_WAITING = text(
    f"SELECT project, count(*) AS number FROM engine.step_attempts WHERE {_UNHELD} GROUP BY project"  # noqa: S608
)
_WORKERS = text(
    "SELECT w.id, w.pool, w.project, w.host, w.pid, w.concurrency, w.beats, "
    "(SELECT count(*) FROM engine.step_attempts a WHERE a.worker = w.id AND a.state = 'RUNNING') AS running "
    "FROM engine.workers w ORDER BY w.project, w.id"
)
# Whoever is writing as this worker is done first, and nothing is written as it after.
_STRIKE = text("DELETE FROM engine.workers WHERE id = :worker")
_LOSE = text(
    "UPDATE engine.step_attempts SET state = 'ENDED', ended_at = now(), ended = CAST(:ended AS jsonb) "
    "WHERE worker = :worker AND state = 'RUNNING' RETURNING project, run_id, step_key, attempt, ended"
)
_LET_GO = text("UPDATE engine.step_attempts SET worker = NULL WHERE worker = :worker AND state = 'QUEUED'")
_FORGET = text("DELETE FROM engine.step_attempts WHERE run_id = ANY(:run_ids)")
_KEEP_ONLY = text("DELETE FROM engine.step_attempts WHERE NOT run_id = ANY(:run_ids)")
_DEPTHS = text(
    "SELECT project, count(*) FILTER (WHERE state = 'QUEUED') AS waiting, "
    "count(*) FILTER (WHERE state = 'RUNNING') AS running "
    "FROM engine.step_attempts WHERE state <> 'ENDED' GROUP BY project ORDER BY project"
)
_LAG = text(
    "SELECT project, extract(epoch FROM now() - min(offered_at))::float AS seconds "
    "FROM engine.step_attempts WHERE state = 'QUEUED' GROUP BY project ORDER BY project"
)
_REGISTER = text(
    "INSERT INTO engine.workers (id, pool, project, host, pid, concurrency) "
    "VALUES (:id, :pool, :project, :host, :pid, :concurrency)"
)
_BEAT = text("UPDATE engine.workers SET beats = beats + 1 WHERE id = :worker")
_LIVES = text("SELECT 1 FROM engine.workers WHERE id = :worker FOR KEY SHARE")
# Two workers that take at once would both see room for one more.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('phems steps of ' || :project))")
_RUNNING = text("SELECT count(*) FROM engine.step_attempts WHERE project = :project AND state = 'RUNNING'")
_KEY = "run_id = :run_id AND step_key = :step_key AND attempt = :attempt"
_HOLD = text(
    f"UPDATE engine.step_attempts SET worker = :worker WHERE {_KEY} "  # noqa: S608
    "AND project = :project AND state = 'QUEUED'"
)
_TAKE = text(
    f"UPDATE engine.step_attempts SET state = 'RUNNING', worker = :worker WHERE {_KEY} "  # noqa: S608
    "AND project = :project AND (state = 'QUEUED' OR (:asked AND state = 'RUNNING' AND worker = :worker)) "
    f"RETURNING {_TASK}, known_state"
)
_HAD = text(
    f"SELECT 1 FROM engine.step_attempts WHERE {_KEY} AND state = 'RUNNING' AND worker = :worker"  # noqa: S608
)
_END = text(
    "UPDATE engine.step_attempts "  # noqa: S608
    f"SET state = 'ENDED', ended_at = now(), ended = CAST(:ended AS jsonb) WHERE {_KEY} "
    "AND worker = :worker AND state = 'RUNNING'"
)
_HELD = text(
    "SELECT run_id, step_key, attempt FROM engine.step_attempts "
    "WHERE project = :project AND state = 'RUNNING'"
)
_LIVING = text("SELECT id FROM engine.workers WHERE project = :project")
_TELL = text("SELECT pg_notify(:channel, :payload)")


class PostgresOrchestratorLeases:
    """See `OrchestratorLeases`.

    What the orchestrator asks for a run is done again while the database is away: told so, it would take the
    run for one in trouble and end its steps. What `LeaseWatch` asks is not: it must know of every gap.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @done_again
    def offer(self, task: StepTask, known_state: str) -> None:
        """See `OrchestratorLeases`."""
        with self._engine.begin() as connection:
            connection.execute(_OFFER, {**asdict(task), "known_state": known_state})

    def take_back(self, run_id: str) -> list[StepTask]:
        """See `OrchestratorLeases`."""
        ended = _how_ended(StepEnd("", run_id, "", 0, 0, is_lost=False, note="It was taken back."))
        with self._engine.begin() as connection:
            rows = connection.execute(_TAKE_BACK, {"run_id": run_id, "ended": ended})
            return [_task(row) for row in rows]

    @done_again
    def attempts_of(self, run_id: str) -> Mapping[str, LastAttempt]:
        """See `OrchestratorLeases`."""
        with self._engine.connect() as connection:
            rows = connection.execute(_LAST, {"run_id": run_id})
            return {row.step_key: LastAttempt(row.attempt, row.is_open) for row in rows}

    def ended(self, run_ids: Collection[str], within_seconds: float) -> Sequence[StepEnd]:
        """See `OrchestratorLeases`."""
        values = {"run_ids": list(run_ids), "within": within_seconds}
        with self._engine.connect() as connection:
            return [_end(row) for row in connection.execute(_ENDED, values)]

    def waiting(self, project: str, older_than_seconds: float) -> Sequence[StepTask]:
        """See `OrchestratorLeases`."""
        values = {"project": project, "age": older_than_seconds}
        with self._engine.connect() as connection:
            return [_task(row) for row in connection.execute(_WAITING, values)]

    def count_waiting(self, older_than_seconds: float) -> Mapping[str, int]:
        """See `OrchestratorLeases`."""
        with self._engine.connect() as connection:
            rows = connection.execute(_COUNT_WAITING, {"age": older_than_seconds})
            return {row.project: row.number for row in rows}

    def workers(self) -> Sequence[WorkerBeat]:
        """See `OrchestratorLeases`."""
        with self._engine.connect() as connection:
            rows = connection.execute(_WORKERS).all()
        return [
            WorkerBeat(
                WorkerFacts(row.id, row.pool, row.project, row.host, row.pid, row.concurrency),
                row.beats,
                row.running,
            )
            for row in rows
        ]

    def lose(self, worker_id: str) -> list[StepEnd]:
        """See `OrchestratorLeases`."""
        with self._engine.begin() as connection:
            return _strike(connection, worker_id)

    @done_again
    def forget(self, run_ids: Collection[str]) -> None:
        """See `OrchestratorLeases`."""
        with self._engine.begin() as connection:
            connection.execute(_FORGET, {"run_ids": list(run_ids)})

    @done_again
    def keep_only(self, run_ids: Collection[str]) -> None:
        """See `OrchestratorLeases`."""
        with self._engine.begin() as connection:
            connection.execute(_KEEP_ONLY, {"run_ids": list(run_ids)})

    def depths(self) -> Mapping[str, tuple[int, int]]:
        """See `OrchestratorLeases`."""
        with self._engine.connect() as connection:
            return {row.project: (row.waiting, row.running) for row in connection.execute(_DEPTHS)}

    def lag(self) -> Mapping[str, float]:
        """See `OrchestratorLeases`."""
        with self._engine.connect() as connection:
            return {row.project: row.seconds for row in connection.execute(_LAG)}


class PostgresWorkerLeases:
    """See `WorkerLeases`."""

    def __init__(self, engine: Engine, facts: WorkerFacts) -> None:
        self.facts = facts
        self._engine = engine
        # Attempts that were asked for, and whether they were had was never heard: the answer was lost.
        self._asked: set[tuple[str, str, int]] = set()
        self._asking = threading.Lock()

    def register(self) -> None:
        """See `WorkerLeases`."""
        with database_failures(), self._engine.begin() as connection:
            connection.execute(_REGISTER, asdict(self.facts))

    def beat(self) -> bool:
        """See `WorkerLeases`."""
        with database_failures(), self._engine.begin() as connection:
            return connection.execute(_BEAT, self._own).rowcount == 1

    def take(self, run_id: str, step_key: str, attempt: int, limit: int) -> TakenStep | NotTaken:
        """See `WorkerLeases`."""
        key = (run_id, step_key, attempt)
        with self._asking:  # one of those who ask for it again has it, not each
            was_asked = key in self._asked
            self._asked.discard(key)
        try:
            return self._take(key, limit, was_asked=was_asked)
        except UnavailableError:
            with self._asking:
                self._asked.add(key)
            raise

    def _take(self, key: tuple[str, str, int], limit: int, *, was_asked: bool) -> TakenStep | NotTaken:
        named = dict(zip(("run_id", "step_key", "attempt"), key, strict=True))
        values = {**self._own, **named, "project": self.facts.project, "asked": was_asked}
        with database_failures(), self._engine.begin() as connection:
            self.check_living(connection)
            connection.execute(_ONE_AT_A_TIME, values)
            # One that this worker has already, and does not know of, is among those that run.
            had = was_asked and connection.execute(_HAD, values).first() is not None
            if not had and connection.execute(_RUNNING, values).scalar_one() >= limit:
                held = connection.execute(_HOLD, values).rowcount
                return NotTaken.BUSY if held else NotTaken.GONE
            row = connection.execute(_TAKE, values).first()
        return NotTaken.GONE if row is None else TakenStep(_task(row), row.known_state)

    def end(self, end: StepEnd) -> bool:
        """See `WorkerLeases`."""
        values = {**self._own, "run_id": end.run_id, "step_key": end.step_key, "attempt": end.attempt}
        with database_failures(), self._engine.begin() as connection:
            told = connection.execute(_END, {**values, "ended": _how_ended(end)}).rowcount == 1
            if told:
                connection.execute(_TELL, {"channel": ENDED_CHANNEL, "payload": notice_of(end)})
        return told

    def held(self) -> Collection[tuple[str, str, int]]:
        """See `WorkerLeases`."""
        with database_failures(), self._engine.connect() as connection:
            rows = connection.execute(_HELD, {"project": self.facts.project})
            return {(row.run_id, row.step_key, row.attempt) for row in rows}

    def living(self) -> Collection[str]:
        """See `WorkerLeases`."""
        with database_failures(), self._engine.connect() as connection:
            return set(connection.execute(_LIVING, {"project": self.facts.project}).scalars())

    def leave(self) -> None:
        """See `WorkerLeases`."""
        with database_failures(), self._engine.begin() as connection:
            for end in _strike(connection, self.facts.id):
                connection.execute(_TELL, {"channel": ENDED_CHANNEL, "payload": notice_of(end)})

    def check_living(self, connection: Connection) -> None:
        """Raise `RefusedError` once the worker was declared lost; until the transaction ends it cannot be."""
        if connection.execute(_LIVES, self._own).first() is None:
            raise RefusedError(
                "This worker is no longer one of the node's.",
                why="It was not heard of for too long, and its steps were given to others.",
            )

    @property
    def _own(self) -> dict[str, Any]:
        return {"worker": self.facts.id}


def notice_of(end: StepEnd) -> str:
    """How an attempt ended, as it is told by notification; empty when that is too long."""
    notice = json.dumps(asdict(end))
    return notice if len(notice.encode()) <= _LONGEST_NOTICE else ""


def read_notice(notice: str) -> StepEnd:
    """What `notice_of` wrote."""
    return StepEnd(**json.loads(notice))


def _strike(connection: Connection, worker_id: str) -> list[StepEnd]:
    connection.execute(_STRIKE, {"worker": worker_id})
    connection.execute(_LET_GO, {"worker": worker_id})
    ended = _how_ended(StepEnd("", "", "", 0, -9, is_lost=True))
    return [_end(row) for row in connection.execute(_LOSE, {"worker": worker_id, "ended": ended})]


def _how_ended(end: StepEnd) -> str:
    said = asdict(end)
    for name in ("project", "run_id", "step_key", "attempt"):
        del said[name]
    return json.dumps({**said, "note": end.note[:_LONGEST_NOTE]})


def _end(row: Row[Any]) -> StepEnd:
    return StepEnd(row.project, row.run_id, row.step_key, row.attempt, **row.ended)


def _task(row: Row[Any]) -> StepTask:
    return StepTask(row.project, row.code_digest, row.run_id, row.step_key, row.attempt, row.priority)
