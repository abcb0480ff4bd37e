"""How the node's database is, in questions that cost next to nothing: for probes and metrics."""

from __future__ import annotations

from sqlalchemy import Engine, text

from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.migrate import latest
from phems.errors import UnavailableError

_WRITABLE = "SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'"
_VERSION = "SELECT version_num FROM governance.schema_version"
_SESSIONS = "SELECT count(*) FROM governance.user_sessions WHERE revoked_at IS NULL AND expires_at > now()"


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


def _scalar(engine: Engine, question: str) -> object:
    with database_failures(), engine.connect() as connection:
        return connection.execute(text(question)).scalar()
