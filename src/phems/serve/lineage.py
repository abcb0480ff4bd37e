"""The thread that makes lineage events and hands them on, in the control process that leads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from phems.serve.looking import Looking
from phems.services.lineage_events import LineageKeeper


class LineageLooking(Looking):
    """Looks when a run wrote an event or a package was placed, and when something is to be tried again."""

    def __init__(
        self, keeper: LineageKeeper, is_leading: Callable[[], bool], stopping: threading.Event
    ) -> None:
        self.keeper = keeper
        super().__init__(
            lambda: _look(keeper, lambda: not stopping.is_set()),
            is_leading,
            stopping,
            log=logging.getLogger("phems.lineage"),
            failing="lineage events could not be kept",
        )


def _look(keeper: LineageKeeper, goes_on: Callable[[], bool]) -> float | None:
    has_more = keeper.collect()
    following = keeper.deliver(goes_on)
    return 0.0 if has_more else following
