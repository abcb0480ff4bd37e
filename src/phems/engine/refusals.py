"""How many refusals of one caller are written down: enough to see what it tries, not to bury the rest.

Each audit entry is a transaction that all others wait for. Without a bound, project code could fill the
audit log, and slow the node, by asking for what it may not have.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from phems.contract.capability import Capability

MAX_RECORDED = 100
MAX_CALLERS = 10_000
_LAST = " (Further refusals of this caller are not recorded.)"

Record = Callable[[Capability, str, str], None]


class RecordedRefusals:
    """Records the refusals of each caller (a step's attempt, or a code server), up to `MAX_RECORDED`."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._counts: OrderedDict[tuple[object, ...], int] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, capability: Capability, method: str, reason: str) -> None:
        """Record one refusal, or only count it."""
        caller = (capability.project, capability.run_id, capability.step_key, capability.attempt)
        with self._lock:
            count = self._counts[caller] = self._counts.get(caller, 0) + 1
            if len(self._counts) > MAX_CALLERS:
                self._counts.popitem(last=False)
        if count < MAX_RECORDED:
            self._record(capability, method, reason)
        elif count == MAX_RECORDED:
            self._record(capability, method, reason + _LAST)
