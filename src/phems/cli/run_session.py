"""Where `phems run` finds the runs: at the gateway of the node in this folder, or at its address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from phems.cli import session

if TYPE_CHECKING:
    from phems.cli.run_client import RunClient

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared, not bound)


@contextmanager
def opened_runs() -> Iterator[RunClient]:
    """The runs of the node, as the token's user may see and use them."""
    from phems.cli.gateway_client import GatewayClient
    from phems.cli.remote.connection import NodeConnection
    from phems.cli.run_client import RunClient

    token, url = session.token(), session.node_url()
    connection = (
        NodeConnection(url, token) if url else NodeConnection(_own_gateway(), token, remedy="phems serve")
    )
    with GatewayClient(connection, is_local=url is None) as gateway:
        yield RunClient(gateway)


def _own_gateway() -> str:
    """The address of the gateway of the node in this folder."""
    spec, _ = session.load_node()
    host = WILDCARDS.get(spec.gateway.host, spec.gateway.host).strip("[]")
    if spec.gateway.tls is not None and spec.gateway.public_url is not None:
        return spec.gateway.public_url
    scheme = "https" if spec.gateway.tls is not None else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{spec.gateway.port}"
