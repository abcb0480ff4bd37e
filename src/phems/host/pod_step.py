"""One step in a pod: asks for its order over the wall, loads the definitions, executes, and leaves.

The pod is used once. It holds nothing but its capability, and is told nothing but where to show it.
"""

from __future__ import annotations

import os
import signal
import ssl
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from phems.contract.pod import ADDRESS_FILE, CAPABILITY_FILE, CERTIFICATE_FILE, PodExit, of_step
from phems.contract.step_order import HostOrder, StepOrder
from phems.errors import PhemsError, RefusedError, UnavailableError
from phems.host import limits, privacy
from phems.host.connections import tls_connection
from phems.host.step_loop import leave_after
from phems.host.storage_client import StorageClient

# A network policy may take a moment to hold for a pod that has just begun.
REACH_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
ENDED_BY_TERM = 128 + signal.SIGTERM
SHOWN = 4000


@dataclass(frozen=True)
class PodOrders:
    """What a pod is to do: its step, and what its host would have been told."""

    host: HostOrder
    step: StepOrder


def run_pod(folder: str) -> NoReturn:
    """Carry out the one step of this pod, whose files lie in `folder`, and leave with its exit code."""
    # The first process of a container gets no signal that it has not asked for.
    signal.signal(signal.SIGTERM, _end)
    privacy.keep_to_itself()
    leave_after(lambda: sys.exit(_run(Path(folder))))


def _run(folder: Path) -> int:
    connect = tls_connection((folder / ADDRESS_FILE).read_text(), (folder / CERTIFICATE_FILE).read_text())
    client = StorageClient(connect, (folder / CAPABILITY_FILE).read_text)
    try:
        orders = ask_for_orders(client, time.monotonic() + REACH_SECONDS)
    except RefusedError as error:
        return _told(error, PodExit.REFUSED)
    except (PhemsError, OSError) as error:
        return _told(error, PodExit.NOT_REACHED)
    os.environ.update(orders.host.variables)
    limits.apply_in_pod(orders.host.limits)
    # Project code comes to this process here, and its packages may need what was set just now.
    from phems.host import definitions, step_process

    try:
        loaded = definitions.load(orders.host)
    except PhemsError as error:
        with suppress(PhemsError, OSError):
            step_process.report_not_loaded(orders.step, client, str(error)[-SHOWN:])
        return _told(error, PodExit.NOT_LOADED)
    try:
        step_process.perform(orders.host, loaded, orders.step, client)
    except step_process.StepCancelled:
        return ENDED_BY_TERM
    except SystemExit as leaving:  # project code may leave as it likes, but not in the pod's own name
        return of_step(leaving.code if isinstance(leaving.code, int) else 1)
    return 0


def ask_for_orders(client: StorageClient, until: float) -> PodOrders:
    """Ask for the orders, until `until` while nobody answers; another certificate is final."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            found = client.call("step", "order", (), {})
            return PodOrders(HostOrder.from_json(found["host"]), StepOrder.from_json(found["step"]))
        except ssl.SSLCertVerificationError:
            raise
        except (OSError, UnavailableError):
            if time.monotonic() + pause >= until:
                raise
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _told(error: Exception, code: PodExit) -> int:
    sys.stderr.write(f"{error}\n")
    return int(code)


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(ENDED_BY_TERM)
