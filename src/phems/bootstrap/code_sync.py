"""`CodeSync` of a node, wired; and waiting for the next change of its code revisions."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from phems.adapters.postgres.code_in_use import PostgresCodeInUse
from phems.adapters.postgres.notifications import Notifications
from phems.adapters.webhook_secrets import webhook_secrets
from phems.bootstrap.channels import CODE_CHANNEL
from phems.bootstrap.environments import environments_of
from phems.bootstrap.node import Node
from phems.services.code_sync import CodeSync
from phems.services.code_webhooks import CodeWebhooks

LOOK_AGAIN_SECONDS = 300.0


def code_sync_of(node: Node) -> CodeSync:
    """The use case over the node's repos, Code Mount, environments and runs."""
    return CodeSync(
        node.governance,
        node.code_repos,
        node.code_mount,
        environments_of(lambda: node.spec, node.paths),
        node.code_approvals,
        PostgresCodeInUse(node.database.engine("dagster")),
        node.access.rules,
        lambda project: node.spec.project(project).environment.requirements,
        lambda project: node.written.project(project).retention.environments is not None,
    )


def code_webhooks_of(node: Node) -> CodeWebhooks:
    """The use case over the secrets that node.yaml names; where they are kept is read anew each time."""
    return CodeWebhooks(
        node.governance,
        lambda: webhook_secrets(node.spec, node.paths.folder, os.environ),
        lambda: code_sync_of(node),
    )


@contextmanager
def code_changes(node: Node) -> Iterator[Iterator[None]]:
    """Goes on once at the start, and then after each change of a code revision, until the block ends."""
    changed = threading.Event()
    listener = Notifications(
        node.database.url("dagster"), {CODE_CHANNEL: lambda _project: changed.set()}, changed.set
    )

    def turns() -> Iterator[None]:
        while True:
            changed.clear()
            yield
            changed.wait(LOOK_AGAIN_SECONDS)

    try:
        yield turns()
    finally:
        listener.close()
