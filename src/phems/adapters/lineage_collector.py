"""Lineage events to an OpenLineage collector, one POST each, to where node.yaml says: `LineageTarget`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import httpx

from phems.errors import UnavailableError

SECONDS = 20.0


class LineageCollector:
    """Posts events as OpenLineage's HTTP transport does; with a token as its bearer."""

    at_once = 1

    def __init__(self, url: str, token: Callable[[], str | None]) -> None:
        self._url = url
        self._token = token

    def send(self, events: Sequence[bytes]) -> None:
        """See the port."""
        token = self._token()
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        for event in events:
            try:
                answer = httpx.post(
                    self._url, content=event, headers=headers, timeout=SECONDS, follow_redirects=False
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _untaken(type(error).__name__) from None
            if not answer.is_success:
                raise _untaken(f"it answered {answer.status_code}")


def _untaken(why: str) -> UnavailableError:
    return UnavailableError(
        "The lineage collector took no event.",
        why=f"{why}.",
        remedy="See lineage.collector in node.yaml; it is tried again.",
    )
