"""The node that a command acts on: in a folder of this machine, or at an address. Commands do not know which.

with opened() as (node, actor):                 # by a token
    node.code_revisions.submit(actor, ...)
with opened("audit.read") as (node, actor):     # on the folder also without one, as the local operator
    node.audit.tail(actor, 20)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from phems.cli import session

if TYPE_CHECKING:
    from phems.cli.ports import FolderPort, NodePort
    from phems.cli.remote.node import RemoteNode
    from phems.domain.actors import Actor
    from phems.domain.permissions import Verb


@contextmanager
def opened(verb: Verb | None = None) -> Iterator[tuple[NodePort, Actor]]:
    """The node and who acts. With a `verb` they may do it on the node, or RefusedError says why not."""
    if verb is None:
        session.token()  # told before anything slow is begun
    with opened_node() as node:
        yield node, node.acting(verb)


@contextmanager
def opened_node() -> Iterator[NodePort]:
    """The node, whoever acts."""
    if (url := session.node_url()) is not None:
        with _remote(url) as remote:
            yield remote
        return
    from phems.bootstrap import open_node
    from phems.cli.local_node import LocalNode

    with open_node(session.node_folder()) as node:
        yield LocalNode(node)


@contextmanager
def opened_folder() -> Iterator[FolderPort]:
    """The node as far as it can be told without its database."""
    if (url := session.node_url()) is not None:
        with _remote(url) as remote:
            yield remote
        return
    from phems.cli.local_node import LocalFolder

    yield LocalFolder()


@contextmanager
def _remote(url: str) -> Iterator[RemoteNode]:
    token = session.token()
    from phems.cli.remote.api import NodeApi
    from phems.cli.remote.connection import NodeConnection
    from phems.cli.remote.node import RemoteNode

    with NodeApi(NodeConnection(url, token)) as api:
        yield RemoteNode(api)
