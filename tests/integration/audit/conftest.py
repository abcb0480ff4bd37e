"""A node's audit log with its outside anchors: a folder, a web service and a bucket, each the real thing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text

from phems.adapters.checkpoint_file import CheckpointFile
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.adapters.signing import SigningKey, load_or_create_key, signature_matches
from phems.domain.actors import Actor
from phems.domain.checkpoints import Checkpoint, parse_checkpoint
from phems.services.audit import AuditLog
from phems.services.audit_anchors import Anchoring, AnchorRule, Anchors
from phems.services.checkpoints import CheckpointKeeper
from phems.services.ports.audit import Anchor

ADA = Actor("ada")
ORIGIN = "hospital.example/audit"


class SetClock:
    """Tells the time it was set to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)


@dataclass
class Site:
    """One node's audit log, with the anchors that a test gives it."""

    folder: Path
    database: Database
    clock: SetClock = field(default_factory=SetClock)
    rules: list[AnchorRule] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key: SigningKey = load_or_create_key(self.folder / "keys", "audit")
        self.checkpoint = self.folder / "audit" / "checkpoint"
        self.restart()

    def restart(self) -> None:
        """As a node that is started anew: nothing is remembered but what lies on the disk."""
        anchors = Anchors(self.rules)
        self.keeper = CheckpointKeeper(
            origin=ORIGIN,
            store=CheckpointFile(self.checkpoint),
            signer=self.key,
            verify=signature_matches,
            gate=anchors,
        )
        engine = self.database.engine("governance")
        self.governance = PostgresGovernance(engine, clock=self.clock, checkpoints=self.keeper)
        self.anchoring = Anchoring(anchors, governance=self.governance, keeper=self.keeper, clock=self.clock)
        self.log = AuditLog(
            "n",
            governance=self.governance,
            keeper=self.keeper,
            signer=self.key,
            clock=self.clock,
            anchoring=self.anchoring,
        )

    def anchor(self, name: str, place: Anchor, *, refuses: bool = False) -> None:
        """Give the node an anchor that must have every entry within ten minutes."""
        self.rules.append(
            AnchorRule(
                name=name,
                kind=type(place).__name__,
                place=place,
                handed=CheckpointFile(self.folder / "audit" / "anchors" / name, keep_history=False),
                refuses=refuses,
                within=timedelta(minutes=10),
                every=timedelta(minutes=1),
            )
        )
        self.restart()
        self.log.open()

    def act(self, count: int = 1) -> None:
        """Something that is recorded."""
        for _ in range(count):
            with self.governance.transaction() as tx:
                tx.audit.append(ADA, "code.submit", "revision")

    def size(self) -> int:
        """How many entries there are."""
        with self.governance.transaction() as tx:
            return tx.audit.head().size

    def failed(self) -> list[tuple[str, str]]:
        """What is recorded of anchors: the name and the result, oldest first."""
        with self.governance.transaction() as tx:
            return [(e.subject, e.result) for e in tx.audit.entries() if e.action == "audit.anchor"]

    def kept(self) -> Checkpoint:
        """The node's last checkpoint."""
        return parse_checkpoint(self.checkpoint.read_text())

    def set_back(self, size: int, checkpoint: bytes) -> None:
        """Restore an older state as a whole: what a backup, or a database administrator, can do."""
        with self.database.engine("admin").begin() as connection:
            connection.execute(text("ALTER TABLE audit.entry DISABLE TRIGGER ALL"))
            connection.execute(text("DELETE FROM audit.entry WHERE seq > :size"), {"size": size})
        self.checkpoint.write_bytes(checkpoint)


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    """The audit log of a node that has just started, without anchors yet."""
    made = Site(tmp_path, database)
    made.log.open()
    return made


class Witness(ThreadingHTTPServer):
    """A web service that keeps checkpoints, and answers as it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = 200
        self.received: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/checkpoints"


class _Handler(BaseHTTPRequestHandler):
    server: Witness

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append((body, self.headers.get("Authorization")))
        self.send_response(self.server.answer)
        if self.server.answer in range(300, 400):
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name for it)
        """Nothing: the tests' output is for the tests."""


@pytest.fixture
def witness() -> Iterator[Witness]:
    """A web service on this machine."""
    server = Witness()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
