"""A node's API and doors on a real port of this machine, without Dagster behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette

from phems.bootstrap import Node
from phems.gateway.app import assemble
from phems.gateway.server import GatewayServer
from phems.gateway.settings import settings_of


@contextmanager
def served_api(node: Node) -> Iterator[str]:
    """Its address, for the time of the block."""
    app = assemble(Starlette(), node.users, settings=settings_of(node.spec), cases=node)
    server = GatewayServer(app, "127.0.0.1", 0)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
