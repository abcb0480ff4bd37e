"""People who are waited for are told once, by a real mail server and a real webhook; no act waits for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event
from tests.integration.governance.governed_site import ANA, BEN, IDA, OWNERS, PROJECT, CodeRepo, Site
from tests.receivers import Hooks, Mailbox, mail_server, webhook_receiver

from phems.adapters.mail import MailChannel, MailServer
from phems.adapters.notification_webhook import SIGNATURE, TIMESTAMP, WebhookChannel, signature
from phems.domain.notifications import PAUSES
from phems.services.my_work import WaitingWork
from phems.services.notifications import Notifier
from phems.services.ports.engine_runs import EngineRun
from phems.services.ports.users import User

URL = "https://node.hospital.example"
SECRET = "what the chat knows us by"
CANARY = "CANARY-PATIENT-7f3a9"


class NoRuns:
    """The engine has none."""

    def of_person(self, *_: object, **__: object) -> list[EngineRun]:
        return []


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server(free_port()) as box:
        yield box


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    with webhook_receiver(0) as taken:
        yield taken


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def notifier(site: Site, mailbox: Mailbox, hooks: Hooks) -> Notifier:
    """Over the site; each of its people is a user, Ben alone without an address."""
    with site.governance.transaction() as work:
        for who in (ANA, BEN, *OWNERS):
            work.users.add(
                User(name=who.name, password_hash=None, created_at=site.clock.now(), created_by="x")
            )
            if who is not BEN:
                work.users.set_email(who.name, f"{who.name}@hospital.example")
    engine: Any = NoRuns()
    waiting = WaitingWork(site.governance, lambda: [PROJECT], site.people, engine, site.clock)
    return Notifier(
        site.governance,
        {
            "mail": MailChannel(
                MailServer("127.0.0.1", mailbox.port, "none", "node@hospital.example"), node="st-mary"
            ),
            "webhook": WebhookChannel(f"http://127.0.0.1:{hooks.port}/hook", lambda: SECRET, node="st-mary"),
        },
        tasks_of=waiting.tasks_of,
        roles_among=lambda _users: site.people,
        grants=dict,
        url=URL,
        clock=site.clock,
    )


def tell(notifier: Notifier) -> float | None:
    notifier.collect()
    return notifier.deliver()


def test_owners_are_told_of_a_code_revision_once_and_nobody_else(
    site: Site, repo: CodeRepo, notifier: Notifier, mailbox: Mailbox, hooks: Hooks
) -> None:
    """Nobody looks at a page without a reason: the revision waits for days."""
    commit = repo.commit({f"src/heart_attack/{CANARY}.py": f"# {CANARY}"}, CANARY)
    site.code.submit(ANA, PROJECT)
    assert tell(notifier) is None
    assert {message["To"] for message in mailbox.messages} == {
        f"{who.name}@hospital.example" for who in OWNERS
    }
    message = mailbox.messages[0]
    assert (
        message["Subject"] == "[st-mary] A code revision of the project heart-attack waits for an approval."
    )
    link = f"{URL}/projects/{PROJECT}/code/{commit}"
    assert link in message.get_payload()
    (told,) = hooks.told()
    assert told == {
        "id": told["id"],
        "node": "st-mary",
        "kind": "approve code",
        "project": PROJECT,
        "link": link,
        "people": sorted(who.name for who in OWNERS),
        "text": "A code revision of the project heart-attack waits for an approval.",
    }
    everything = [*(message.as_string() for message in mailbox.messages), *map(repr, hooks.taken)]
    assert not [text for text in everything if CANARY in text]
    tell(notifier)
    assert (len(mailbox.messages), len(hooks.taken)) == (len(OWNERS), 1)


def test_a_webhook_is_signed_over_its_time_and_body(site: Site, notifier: Notifier, hooks: Hooks) -> None:
    """Otherwise anybody who finds the chat's address writes in the node's name."""
    site.code.submit(ANA, PROJECT)
    tell(notifier)
    ((headers, body),) = hooks.taken
    assert headers[SIGNATURE] == f"sha256={signature(SECRET, headers[TIMESTAMP], body)}"
    assert headers[SIGNATURE] != f"sha256={signature(SECRET, '1', body)}"


def test_what_cannot_be_sent_is_tried_again_with_growing_pauses_and_given_up(
    site: Site, notifier: Notifier, mailbox: Mailbox, hooks: Hooks
) -> None:
    """A mail server that is away for a night loses nothing; one that is gone is not asked for ever."""
    mailbox.refusing, hooks.status = True, 503
    site.code.submit(ANA, PROJECT)
    for pause in PAUSES:
        wait = tell(notifier)
        assert wait is not None
        assert timedelta(0) < timedelta(seconds=wait) <= pause
        assert states(site) == {"WAITING": len(OWNERS) + 1}
        site.clock.pass_time(pause)
    assert tell(notifier) is None
    assert states(site) == {"GIVEN_UP": len(OWNERS) + 1}
    mailbox.refusing, hooks.status = False, 204
    tell(notifier)
    assert (mailbox.messages, hooks.taken) == ([], [])


def test_mail_that_was_refused_arrives_when_the_server_takes_it(
    site: Site, notifier: Notifier, mailbox: Mailbox
) -> None:
    mailbox.refusing = True
    site.code.submit(ANA, PROJECT)
    tell(notifier)
    mailbox.refusing = False
    site.clock.pass_time(PAUSES[0])
    tell(notifier)
    assert len(mailbox.to(f"{IDA.name}@hospital.example")) == 1
    assert states(site) == {"SENT": len(OWNERS) + 1}


def test_a_redirect_is_not_followed(site: Site, notifier: Notifier, hooks: Hooks) -> None:
    """What node.yaml says is where it goes, whatever a receiver answers."""
    hooks.status = 307
    site.code.submit(ANA, PROJECT)
    tell(notifier)
    assert hooks.taken == []
    assert states(site) == {"WAITING": 1, "SENT": len(OWNERS)}


def test_a_look_asks_as_much_however_many_people_there_are(site: Site, notifier: Notifier) -> None:
    """It is taken at every change: a hospital of a thousand would ask its database for nothing else."""

    def asked() -> int:
        statements: list[str] = []
        here = threading.get_ident()

        def note(*told: Any) -> None:
            if threading.get_ident() == here:  # nodes of other tests ask theirs meanwhile
                statements.append(told[2])

        event.listen(Engine, "before_cursor_execute", note)
        try:
            notifier.collect()
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        return len(statements)

    few = asked()
    with site.governance.transaction() as work:
        for number in range(20):
            name = f"person-{number}"
            work.users.add(User(name=name, password_hash=None, created_at=site.clock.now(), created_by="x"))
    assert asked() == few


def test_owners_are_told_when_a_grant_is_about_to_end(
    site: Site, notifier: Notifier, mailbox: Mailbox
) -> None:
    today = site.clock.now().date()
    notifier._grants = lambda: {PROJECT: [today + timedelta(days=3), date(2030, 1, 1)]}
    tell(notifier)
    tell(notifier)
    (message,) = mailbox.to(f"{IDA.name}@hospital.example")
    assert message["Subject"] == "[st-mary] A data grant of the project heart-attack ends within a week."
    assert mailbox.to(f"{ANA.name}@hospital.example") == []


def states(site: Site) -> dict[str, int]:
    with site.governance.transaction() as work:
        return dict(work.notifications.counts())
