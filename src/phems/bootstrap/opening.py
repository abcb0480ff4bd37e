"""A node opened for who needs it: attached to its running database, or with one started for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phems.adapters.node_lock import NodeLock
from phems.bootstrap.database import open_database
from phems.bootstrap.node import Node
from phems.domain.actors import LOCAL_OPERATOR
from phems.errors import UnavailableError
from phems.nodespec import NodePaths, NodeSpec, load_node, node_paths
from phems.services.membership import acting


@contextmanager
def open_node(folder: Path) -> Iterator[Node]:
    """The node whose node.yaml lies in `folder`, attached to its running database.

    When the node does not run, its database is started for the time of the block, under the node's lock.
    """
    spec = load_node(folder)
    paths = node_paths(spec, folder)
    with acting(None):  # whoever comes to act with a token acts until the end of the block
        try:
            database = open_database(spec, paths, start=False)
        except UnavailableError:
            with NodeLock(paths.lock), started_node(spec, paths) as node:
                yield node
            return
        with database:
            node = Node(spec, paths, database)
            node.follow_policies()
            yield node


@contextmanager
def started_node(spec: NodeSpec, paths: NodePaths) -> Iterator[Node]:
    """The node with its database started and its audit log checked; the caller holds the lock."""
    with open_database(spec, paths, start=True) as database:
        node = Node(spec, paths, database)
        node.audit.open()
        node.take_up(LOCAL_OPERATOR, spec)
        yield node
