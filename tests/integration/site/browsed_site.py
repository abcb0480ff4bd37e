"""The pages as a browser without a script has them: sessions, links, forms with what they hide."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from starlette.testclient import TestClient
from tests.integration.api.api_site import ADDRESS, ORIGIN, ApiSite

from phems.domain.actors import Actor
from phems.gateway.door import SESSION_COOKIE
from phems.gateway.site.ask import csrf_of

HTML = {"Accept": "text/html"}


@dataclass
class Browser:
    """One signed-in person's browser."""

    client: TestClient
    session: str

    def get(self, path: str) -> Any:
        """Open a page."""
        return self.client.get(path, headers=HTML)

    def send(self, path: str, act: str, /, **fields: Any) -> Any:
        """Send one of a page's forms as the page would, and go where it leads."""
        data = {"csrf": csrf_of(self.session), "act": act, **fields}
        return self.client.post(path, data=data, headers={**HTML, **ORIGIN})

    def words(self, path: str) -> str:
        """What a person reads on a page."""
        return words_of(self.get(path).text)


class BrowsedSite(ApiSite):
    """A node whose pages can be opened."""

    def browser(self, who: str) -> Browser:
        """The browser of somebody who has just signed in."""
        session = self.node.users.open_session(Actor(who)).secret
        client = TestClient(self.app, base_url=ADDRESS, raise_server_exceptions=False)
        client.cookies.set(SESSION_COOKIE, session)
        return Browser(client, session)


def words_of(html: str) -> str:
    """The text of a page, without its tags, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
