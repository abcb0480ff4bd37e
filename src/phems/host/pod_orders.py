"""What a pod is to do, as it is told over the wall: at once where an attempt is its own, else later."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from phems.contract.step_order import HostOrder, StepOrder
from phems.errors import UnavailableError
from phems.host.connections import Connect
from phems.host.storage_client import StorageClient

# A network policy may take a moment to hold for a pod that has just begun.
REACH_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class PodOrders:
    """What a pod is to do: its step, and what its host would have been told; `note` is for the run's log."""

    host: HostOrder
    step: StepOrder
    note: str = ""

    @classmethod
    def of(cls, told: Mapping[str, str]) -> PodOrders:
        """As the worker told it."""
        return cls(HostOrder.from_json(told["host"]), StepOrder.from_json(told["step"]), told.get("note", ""))


def ask_for_orders(client: StorageClient, own_name: str) -> Mapping[str, str]:
    """Ask what to do, for a while when nobody answers; another certificate is final. No step: to wait."""
    return dict(_patiently(lambda: client.call("step", "order", (own_name,), {})))


def ask_for_step(connect: Connect, capability: Callable[[], str], own_name: str) -> Mapping[str, str]:
    """Wait for the step of a pod that has loaded; the worker holds the call, and may answer with none."""

    def ask() -> Any:
        client = StorageClient(connect, capability)  # what a waiting pod shows is not renewed
        try:
            return client.call("step", "next", (own_name,), {})
        finally:
            client.close()

    while (found := _patiently(ask)) is None:
        pass
    return dict(found)


def _patiently(ask: Callable[[], Any]) -> Any:
    failing_since: float | None = None
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return ask()
        except ssl.SSLCertVerificationError:
            raise
        except (OSError, UnavailableError):
            failing_since = failing_since or time.monotonic()
            if time.monotonic() + pause >= failing_since + REACH_SECONDS:
                raise
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
