"""Open pages learn that something of theirs changed, from a real server over a real database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse

import pytest
from starlette.applications import Starlette
from tests.integration.api.stories import asked, voted
from tests.integration.site.browsed_site import BrowsedSite

from phems.adapters.postgres.notifications import Notifications
from phems.adapters.postgres.stores.audit import CHANGED_CHANNEL
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.gateway import door
from phems.gateway.app import assemble
from phems.gateway.door import SESSION_COOKIE
from phems.gateway.live_changes import MOST_PER_PERSON, LiveChanges
from phems.gateway.server import GatewayServer
from phems.gateway.settings import settings_of

LONG = 60


@dataclass
class Served:
    """The node's pages on a port, told of changes as `phems serve` tells them."""

    site: BrowsedSite
    server: GatewayServer
    live: LiveChanges
    opened: list[HTTPConnection] = field(default_factory=list)

    def listen(self, who: str, session: str | None = None) -> HTTPResponse:
        """Open the stream of somebody; returns when the node listens for them."""
        session = session or self.site.node.users.open_session(Actor(who)).secret
        connection = HTTPConnection("127.0.0.1", int(self.server.url.rpartition(":")[2]), timeout=LONG)
        self.opened.append(connection)
        connection.request("GET", "/events", headers={"Cookie": f"{SESSION_COOKIE}={session}"})
        answer = connection.getresponse()
        if answer.status == 200:
            assert next(lines(answer)) == ": listening"
        return answer


@pytest.fixture
def served(site: BrowsedSite) -> Iterator[Served]:
    """The pages of the site, on a port."""
    settings = settings_of(site.node.spec)
    live = LiveChanges(settings.membership)
    app = assemble(Starlette(), site.node.users, settings=settings, cases=site.node, live=live)
    server = GatewayServer(app, "127.0.0.1", 0)
    server.start()
    url = site.database.url("dagster")
    with closing(Notifications(url, {CHANGED_CHANNEL: live.told}, on_reconnect=lambda: None)):
        served = Served(site, server, live)
        yield served
        live.close()
        for connection in served.opened:
            connection.close()
        server.stop()


def lines(answer: HTTPResponse) -> Iterator[str]:
    """What comes, line by line; ends when the node ends it."""
    while line := answer.readline():
        if text := line.decode().strip():
            yield text


def topics(answer: HTTPResponse) -> Iterator[str]:
    """The topics that a page is told of."""
    return (line.removeprefix("data: ") for line in lines(answer) if line.startswith("data: "))


def test_pages_are_told_what_their_reader_may_see(served: Served) -> None:
    """Otherwise people look at what is no more, or learn of other people's work."""
    own, other, auditor = topics(served.listen("ana")), served.listen("ben"), served.listen("aud")
    asked(served.site)
    assert {next(own), next(own)} == {"run", "release"}
    assert next(topics(auditor)) == "audit"
    served.site.wrote("table.csv", b"a,b\n1,2\n", "run-2", "breast-cancer")
    assert next(topics(other)) == "run"  # the first that Ben is told of, and of his own project


def test_no_checker_learns_from_the_stream_that_another_has_voted(served: Served) -> None:
    """Otherwise the second vote would not be independent of the first."""
    request = asked(served.site)
    oda = topics(served.listen("oda"))
    assert voted(served.site, "omar", request).status_code == 200
    served.site.post("ana", "/projects/heart-attack/code-revisions")
    assert next(oda) == "code"


def test_streams_are_bounded_for_each_person(served: Served) -> None:
    """Otherwise one person could hold all of the node's connections."""
    for _ in range(MOST_PER_PERSON):
        assert served.listen("ana").status == 200
    assert served.listen("ana").status == 204
    assert served.listen("oda").status == 200


def test_a_coordinator_is_told_nothing(served: Served) -> None:
    """Otherwise a program for released packages could follow the work."""
    assert served.site.client("hub").get("/events").status_code == 403


def test_stopping_ends_open_streams_at_once(served: Served) -> None:
    """Otherwise a node would not stop while somebody looks at a page."""
    answer = served.listen("ana")
    served.live.close()
    assert list(topics(answer)) == []
    assert served.listen("ana").status == 204


def test_a_stream_ends_with_its_session(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise who was signed out would go on to be told."""
    monkeypatch.setattr(door, "WEBSOCKET_CHECK_SECONDS", 0.0)
    session = served.site.node.users.open_session(Actor("ana")).secret
    answer = served.listen("ana", session)
    served.site.node.users.close_session(session)
    deadline = time.monotonic() + LONG
    told = topics(answer)
    for number in range(1000):  # until the answer about the session is asked for anew
        served.site.node.users.add_user(LOCAL_OPERATOR, f"person-{number}")
        served.site.wrote(f"t{number}.csv", b"a\n1\n")
        if next(told, None) is None:
            return
        assert time.monotonic() < deadline
