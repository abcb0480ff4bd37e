"""How often one person may ask, as one table: the first row that fits a request is the limit it is under.

A moving window for each row and person, or for each row and address where nobody is signed in. Who is over
it is told when to ask again (429, Retry-After). `limits` does the counting.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from limits import RateLimitItem, parse
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import HTTPConnection
from starlette.responses import Response

from phems.errors import RefusedError
from phems.gateway.callers import Caller
from phems.gateway.client_address import client_key
from phems.gateway.rate_storage import BoundedWindows
from phems.gateway.replies import error_reply
from phems.nodespec.gateway import RateLimits

Row = Literal["sign_in", "strangers", "probes", "webhooks", "graphql", "downloads", "writes", "reads"]
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request: those of a method (any: None) whose path fits."""

    row: Row
    what: str
    path: re.Pattern[str] | None = None
    safe: bool | None = None

    def fits(self, method: str, path: str) -> bool:
        """Whether a request is of this kind."""
        if self.safe is not None and (method in SAFE) is not self.safe:
            return False
        return self.path is None or self.path.match(path) is not None


DOWNLOADS = re.compile(r"/(logs|download_debug|notebook)/|/api/.*/(package|packages|content|export)(/|$)")
KINDS: Sequence[Kind] = (
    Kind("probes", "ask how the node is", re.compile(r"/(readyz|metrics)$")),
    Kind("webhooks", "send webhooks", re.compile(r"/webhooks(/|$)"), safe=False),
    Kind("sign_in", "try to sign in", re.compile(r"/(login|oidc|sign-in|api/sign-in)(/|$)"), safe=False),
    # Going to the identity provider and coming back are GETs: each keeps something, or asks the provider.
    Kind("sign_in", "try to sign in", re.compile(r"/login/oidc(/|$)")),
    Kind("graphql", "ask GraphQL", re.compile(r"/graphql/?$")),
    Kind("downloads", "download files", DOWNLOADS, safe=True),
    Kind("writes", "change something", safe=False),
    Kind("reads", "ask for pages"),
)
STRANGERS = Kind("strangers", "ask without signing in")


class RateLimiter:
    """Counts requests. One for a gateway, used by its event loop alone."""

    def __init__(self, rates: RateLimits | None, storage: BoundedWindows | None = None) -> None:
        self._storage = storage or BoundedWindows()
        self._strategy = MovingWindowRateLimiter(self._storage)
        written: Mapping[str, str] = rates.model_dump() if rates is not None else {}
        self._items: dict[str, RateLimitItem] = {row: parse(rate) for row, rate in written.items()}
        self.refused: dict[str, int] = dict.fromkeys(RateLimits.model_fields, 0)
        """How many requests each row has turned away."""

    @property
    def size(self) -> tuple[int, int]:
        """How many windows and times are held in memory."""
        return self._storage.size

    def request(self, connection: HTTPConnection, caller: Caller | None) -> Response | None:
        """Count a request; the refusal when it is one too many."""
        method, path = connection.scope.get("method", "GET"), connection.scope["path"]
        kind = next(kind for kind in KINDS if kind.fits(method, path))
        return self._count(kind, connection, caller)

    def stranger(self, connection: HTTPConnection) -> Response | None:
        """Count a request that nobody known is behind; the refusal when it is one too many."""
        return self._count(STRANGERS, connection, None)

    def _count(self, kind: Kind, connection: HTTPConnection, caller: Caller | None) -> Response | None:
        item = self._items.get(kind.row)
        if item is None:
            return None
        # A name cannot be an address: the words before them keep the two apart all the same.
        whom = f"name {caller.name}" if caller is not None else f"address {client_key(connection)}"
        if self._strategy.hit(item, kind.row, whom):
            return None
        self.refused[kind.row] += 1
        reset = self._strategy.get_window_stats(item, kind.row, whom).reset_time
        seconds = max(1, math.ceil(reset - self._storage.now()))
        error = RefusedError(
            f"Too many requests: {'you' if caller is not None else 'people at your address'} may {kind.what} "
            f"{item.amount} times in a {item.GRANULARITY.name}.",
            why="What one asks for without end, the others wait for.",
            remedy=f"Ask again in {seconds} s. "
            f"An operator may raise gateway.rate_limits.{kind.row} in node.yaml.",
        )
        return error_reply(connection, error, status=TOO_MANY, headers={"Retry-After": str(seconds)})
