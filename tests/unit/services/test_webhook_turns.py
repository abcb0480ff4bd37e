"""Deliveries in a flood, without an audit log, and after a failure: each makes one turn, or none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from phems.errors import UnavailableError
from phems.services.code_sync import CodeSync, SyncedProject
from phems.services.code_webhooks import CodeWebhooks
from phems.services.ports import Governance

DEADLINE = 30.0


@dataclass
class Log:
    """The audit log in memory, which may be away."""

    entries: list[tuple[str, str]] = field(default_factory=list)
    is_away: bool = False

    @contextmanager
    def transaction(self) -> Iterator[Log]:
        if self.is_away:
            raise UnavailableError("Postgres is away.")
        yield self

    @property
    def audit(self) -> Log:
        return self

    def append(self, _actor: Any, action: str, subject: str, **_more: Any) -> None:
        self.entries.append((action, subject))


@dataclass
class Turns:
    """What is brought in step: each turn begins, and waits to be let on."""

    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    let_on: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    brought: list[str] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)

    def refresh(self, project: str) -> None:
        self.began.release()
        assert self.let_on.acquire(timeout=DEADLINE)
        if self.fails:
            raise self.fails.pop()

    def sync(self, projects: list[str]) -> list[SyncedProject]:
        self.brought += projects
        return [SyncedProject(project, error="the branch is gone") for project in projects]


@dataclass
class Worked:
    log: Log
    turns: Turns
    webhooks: CodeWebhooks

    def deliver(self, project: str = "heart") -> None:
        self.webhooks.deliver(project, address="192.0.2.4")

    def turn_begins(self) -> None:
        assert self.turns.began.acquire(timeout=DEADLINE)


@pytest.fixture
def worked() -> Iterator[Worked]:
    """A worker that takes deliveries, in a thread of its own."""
    log, turns = Log(), Turns()
    webhooks = CodeWebhooks(cast(Governance, log), dict, lambda: cast(CodeSync, turns))
    worker = threading.Thread(target=webhooks.work)
    worker.start()
    yield Worked(log, turns, webhooks)
    webhooks.close()
    for _ in range(10):
        turns.let_on.release()
    worker.join(DEADLINE)
    assert not worker.is_alive()


def test_a_flood_makes_one_turn_more_and_one_entry_more(worked: Worked) -> None:
    """Recorded deliveries played back must fill neither the audit log nor the node's time."""
    worked.deliver()
    worked.turn_begins()
    for _ in range(50):
        worked.deliver()
    assert worked.log.entries == [("code.webhook", "heart")] * 2
    worked.turns.let_on.release()
    worked.turn_begins()
    worked.turns.let_on.release()
    worked.deliver("genes")
    worked.turn_begins()
    assert worked.turns.brought == ["heart", "heart"]


def test_without_an_audit_log_nothing_is_done(worked: Worked) -> None:
    worked.log.is_away = True
    with pytest.raises(UnavailableError):
        worked.deliver()
    worked.log.is_away = False
    worked.deliver("genes")
    worked.turn_begins()
    worked.turns.let_on.release()
    worked.deliver("genes")
    worked.turn_begins()
    assert worked.turns.brought == ["genes"]


@pytest.mark.parametrize("error", [UnavailableError("The server is away."), ValueError("a mistake of ours")])
def test_a_server_that_is_away_keeps_nothing_from_being_brought_in_step(
    worked: Worked, error: Exception
) -> None:
    """What is approved lies here already, perhaps; and the next delivery must find somebody at work."""
    worked.turns.fails.append(error)
    for count in (1, 2):
        worked.deliver()
        worked.turn_begins()
        worked.turns.let_on.release()
        worked.deliver("genes")
        worked.turn_begins()
        worked.turns.let_on.release()
        assert worked.turns.brought.count("heart") == count
