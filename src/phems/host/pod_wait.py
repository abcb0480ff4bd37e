"""A pod that waits for its step: the step's process has loaded the definitions, the first process asks.

The two share a pipe each way: "loaded", and then the one order. The first process runs no project code, so it
can ask, renew and send what is printed while the other loads, waits and executes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from phems.contract.pod import PodExit
from phems.errors import ConflictError, PhemsError, RefusedError
from phems.host.connections import Connect
from phems.host.pod_orders import PodOrders, ask_for_step
from phems.host.storage_client import StorageClient

LOADED = b"1"


class PodWait:
    """The wait of one pod; made before the fork, and used on both sides of it."""

    def __init__(self, connect: Connect, capability: Callable[[], str], own_name: str) -> None:
        self._asks = (connect, capability, own_name)
        self._loaded_read, self._loaded_write = os.pipe()
        self._order_read, self._order_write = os.pipe()
        self.speaker: StorageClient | None = None
        """Who speaks for the step, in the first process; None before there is one."""
        self.exit: PodExit | None = None
        """Why it came to nothing."""

    def take(self) -> PodOrders:
        """In the step's process: it has loaded. Wait for the order."""
        os.close(self._loaded_read)
        os.close(self._order_write)
        os.write(self._loaded_write, LOADED)
        os.close(self._loaded_write)
        with os.fdopen(self._order_read) as order:
            told = order.read()
        if not told:
            sys.exit(PodExit.REFUSED)
        return PodOrders.of(json.loads(told))

    def client_of(self, orders: PodOrders) -> StorageClient:
        """Who shows the capability that came with the order."""
        return StorageClient(self._asks[0], lambda: orders.step.capability)

    def begin(self, pid: int) -> None:
        """In the first process: ask in a thread, once `pid`, the step's process, has loaded."""
        os.close(self._loaded_write)
        os.close(self._order_read)
        threading.Thread(target=self._ask, args=(pid,), daemon=True).start()

    def _ask(self, pid: int) -> None:
        if os.read(self._loaded_read, len(LOADED)) != LOADED:
            return  # it has ended, and its end tells
        try:
            told = ask_for_step(*self._asks)
        except ConflictError:
            return  # another pod is in its place: this one waits to be deleted
        except RefusedError:
            self._give_up(pid, PodExit.REFUSED)
        except (PhemsError, OSError):
            self._give_up(pid, PodExit.NOT_REACHED)
        else:
            self.speaker = self.client_of(PodOrders.of(told))
            with suppress(OSError), os.fdopen(self._order_write, "w") as order:  # it may have ended just now
                order.write(json.dumps(told))

    def _give_up(self, pid: int, why: PodExit) -> None:
        self.exit = why
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
