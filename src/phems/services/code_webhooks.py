"""What a webhook of a Code Repo's server does: the project is brought in step, as `phems code sync` does it.

A delivery is a hint and nothing else. What it says is not read; nothing is submitted or approved by it. Sent
again it does the same again, and while one waits others join it: a flood makes one turn.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial

from phems.domain.actors import NODE
from phems.errors import PhemsError
from phems.services.code_sync import CodeSync
from phems.services.ports import Governance

_LOG = logging.getLogger("phems.webhooks")


class CodeWebhooks:
    """The use case. `secrets()` gives the secret of each project that takes webhooks, as they are now."""

    def __init__(
        self,
        governance: Governance,
        secrets: Callable[[], Mapping[str, bytes]],
        syncing: Callable[[], CodeSync],
    ) -> None:
        self._governance = governance
        self._secrets = secrets
        self._syncing = syncing
        self._asked: dict[str, None] = {}
        self._changed = threading.Condition()
        self._closed = False

    def secrets(self) -> Mapping[str, bytes]:
        """All of them, each time: how long it takes tells nobody whether a project is among them."""
        return self._secrets()

    def deliver(self, project: str, *, address: str) -> None:
        """Take a delivery whose signature was verified. One that changes what will be done is on record."""
        with self._changed:
            if project in self._asked:
                return
        with self._governance.transaction() as work:
            work.audit.append(NODE, "code.webhook", project, project=project, details={"address": address})
        with self._changed:
            self._asked[project] = None
            self._changed.notify_all()

    def work(self) -> None:
        """Bring in step what was asked for, one project after the other, until `close`."""
        while (project := self._next()) is not None:
            self._bring(project)

    def close(self) -> None:
        """End `work`, after what it is at."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> str | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._asked)
            if self._closed:
                return None
            project = next(iter(self._asked))
            del self._asked[project]
            return project

    def _bring(self, project: str) -> None:
        syncing = self._syncing()
        for step in (partial(syncing.refresh, project), partial(self._sync, syncing, project)):
            try:
                step()
            except PhemsError as error:
                _LOG.warning("after a webhook of %s: %s", project, error)
            except Exception:  # noqa: BLE001 (logged; the next delivery finds the worker at its place)
                _LOG.exception("after a webhook of %s", project)

    @staticmethod
    def _sync(syncing: CodeSync, project: str) -> None:
        for row in syncing.sync([project]):
            if row.error:
                _LOG.warning("after a webhook of %s: %s", project, row.error)
