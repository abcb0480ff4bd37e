"""The thread that tells people that they are waited for, in the control process that leads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from phems.domain.live_changes import changed_from
from phems.serve.looking import Looking
from phems.services.notifications import Notifier

TOPICS = frozenset({"capsule", "code", "policy", "release"})


class Notifying(Looking):
    """Looks when something has changed, and when something is to be tried again.

    Also without an act: a grant comes to its end, and a project's people change.
    """

    def __init__(self, notifier: Notifier, is_leading: Callable[[], bool], stopping: threading.Event) -> None:
        super().__init__(
            lambda: _tell(notifier),
            is_leading,
            stopping,
            log=logging.getLogger("phems.notifier"),
            failing="nobody could be told what waits for them",
        )

    def changed(self, payload: str) -> None:
        """An audit entry is news for somebody: see `phems.domain.live_changes`."""
        changed = changed_from(payload)
        if changed is not None and changed.topic in TOPICS:
            self.wake()


def _tell(notifier: Notifier) -> float | None:
    notifier.collect()
    return notifier.deliver()
