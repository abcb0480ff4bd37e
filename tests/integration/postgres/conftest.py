"""A clock that tests set, the audit log of a node with its checkpoint and key, and a lossy way there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.answer_losing_proxy import AnswerLosingProxy

from phems.adapters.checkpoint_file import CheckpointFile
from phems.adapters.postgres.connections import Role
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.adapters.signing import SigningKey, load_or_create_key, signature_matches
from phems.services.audit import AuditLog
from phems.services.checkpoints import CheckpointKeeper


class SetClock:
    """Tells the time it was set to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        self.moment += by


@dataclass(frozen=True)
class AuditedNode:
    """What belongs to one node's audit log."""

    governance: PostgresGovernance
    keeper: CheckpointKeeper
    log: AuditLog
    key: SigningKey
    checkpoint: Path
    database: Database


@pytest.fixture
def clock() -> SetClock:
    """The time, as the test sets it."""
    return SetClock()


@pytest.fixture
def node(database: Database, clock: SetClock, tmp_path: Path) -> AuditedNode:
    """The audit log of a node that has just started."""
    key = load_or_create_key(tmp_path / "keys", "audit")
    checkpoint = tmp_path / "audit" / "checkpoint"
    keeper = CheckpointKeeper(
        origin="n/audit", store=CheckpointFile(checkpoint), signer=key, verify=signature_matches
    )
    governance = PostgresGovernance(database.engine("governance"), clock=clock, checkpoints=keeper)
    log = AuditLog("n", governance=governance, keeper=keeper, signer=key, clock=clock)
    log.open()
    return AuditedNode(governance, keeper, log, key, checkpoint, database)


@dataclass(frozen=True)
class Proxied:
    """A database by way of a proxy."""

    proxy: AnswerLosingProxy
    database: Database

    def url(self, role: Role) -> str:
        """The address by way of the proxy."""
        return self.database.url(role)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for writers that wait."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.fixture
def proxied(database: Database, short_folder: Path) -> Iterator[Proxied]:
    """The test's database, behind a proxy that cuts."""
    folder = short_folder / "cut"
    folder.mkdir(exist_ok=True)
    at = folder / ".s.PGSQL.5432"
    to = Path(str(database.base.query["host"])) / at.name
    base = database.base.update_query_dict({"host": str(folder)})
    with AnswerLosingProxy(at, to) as proxy, Database(base, database.credentials) as by_proxy:
        yield Proxied(proxy, by_proxy)
    at.unlink()
