"""How the node's database is, in questions that cost next to nothing: for probes and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row, text

from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.migrate import latest
from phems.domain.release_states import UNDER_REVIEW
from phems.domain.waiting import UNDECIDED_CODE
from phems.engine.tags import PROJECT_TAG
from phems.errors import UnavailableError

_WRITABLE = "SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'"
_VERSION = "SELECT version_num FROM governance.schema_version"
_SESSIONS = "SELECT count(*) FROM governance.user_sessions WHERE revoked_at IS NULL AND expires_at > now()"
_AGE = "coalesce(extract(epoch FROM now() - min({since}) FILTER (WHERE state = ANY(:undecided))), 0)"
_BY_STATE = "SELECT project, state, count(*) AS number, {age} AS oldest FROM {table} GROUP BY project, state"
_REQUESTS = _BY_STATE.format(age=_AGE.format(since="requested_at"), table="governance.release_requests")
_REVISIONS = _BY_STATE.format(age=_AGE.format(since="submitted_at"), table="governance.code_revisions")
_RUNS = (
    "SELECT p.value AS project, r.status AS state, count(*) AS number, 0 AS oldest FROM dagster.runs r "
    "JOIN dagster.run_tags p ON p.run_id = r.run_id AND p.key = :project_tag "
    "WHERE r.status IN ('QUEUED', 'STARTING', 'STARTED', 'CANCELING') GROUP BY p.value, r.status"
)


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many of a project's things are in a state, and how long the oldest has waited for a decision."""

    project: str
    state: str
    number: int
    oldest_seconds: float


def check_reachable(governance: Engine) -> None:
    """UnavailableError unless Postgres answers and takes writes."""
    if not _scalar(governance, _WRITABLE):
        raise UnavailableError("Postgres takes no writes.", why="It is a standby, or set to read only.")


def check_migrated(governance: Engine, *, remedy: str = "phems serve") -> None:
    """UnavailableError unless the schemas are those of this version of the node."""
    found, wanted = _scalar(governance, _VERSION), latest()
    if found != wanted:
        raise UnavailableError(
            "The database is not that of this version of the node.",
            why=f"Its migration is {found}, and the node needs {wanted}.",
            remedy=remedy,
        )


def open_sessions(governance: Engine) -> int:
    """How many sessions of people are open."""
    return int(str(_scalar(governance, _SESSIONS)))


def release_requests(governance: Engine) -> Sequence[StateCount]:
    """All release requests, counted."""
    return _counts(governance, _REQUESTS, undecided=[*map(str, UNDER_REVIEW)])


def code_revisions(governance: Engine) -> Sequence[StateCount]:
    """All code revisions, counted."""
    return _counts(governance, _REVISIONS, undecided=[*map(str, UNDECIDED_CODE)])


def unfinished_runs(dagster: Engine) -> Sequence[StateCount]:
    """The runs that have not ended, counted; a run is a project's by the tag that the node stamps on it."""
    return _counts(dagster, _RUNS, project_tag=PROJECT_TAG)


def _counts(engine: Engine, question: str, **values: object) -> list[StateCount]:
    with database_failures(), engine.connect() as connection:
        return [_count(row) for row in connection.execute(text(question), values)]


def _count(row: Row[Any]) -> StateCount:
    return StateCount(row.project, row.state, row.number, float(row.oldest))


def _scalar(engine: Engine, question: str) -> object:
    with database_failures(), engine.connect() as connection:
        return connection.execute(text(question)).scalar()
