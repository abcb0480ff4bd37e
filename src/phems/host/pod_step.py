"""One step in a pod: asks for its order over the wall, loads the definitions, executes, and leaves.

The pod is used once. It holds nothing but its capability, and is told nothing but where to show it. Its first
process asks and waits; a fork of it executes, so that its words and its end are told however it ends.
"""

from __future__ import annotations

import os
import secrets
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
from phems.errors import ConflictError, PhemsError, RefusedError, UnavailableError
from phems.host import limits, privacy
from phems.host.connections import tls_connection
from phems.host.pod_output import PodOutput
from phems.host.step_loop import leave_after
from phems.host.storage_client import StorageClient

# A network policy may take a moment to hold for a pod that has just begun.
REACH_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
OUTPUT_SECONDS = 0.5
SIGNALS_FROM = 128
AWAITED = (signal.SIGCHLD, signal.SIGTERM)
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
    except ConflictError:
        _wait_to_be_deleted()
    except RefusedError as error:
        return _told(error, PodExit.REFUSED)
    except (PhemsError, OSError) as error:
        return _told(error, PodExit.NOT_REACHED)
    client.close()  # a fork that shared the connection would end it for both
    output = PodOutput()
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    pid = os.fork()
    if pid == 0:
        output.take_over()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
        leave_after(lambda: sys.exit(_carry_out(orders, client)))
    status = _wait_for(pid, output, client)
    output.send(client)
    return status


def _wait_to_be_deleted() -> NoReturn:
    """Another pod carries the attempt out: Kubernetes has started two, seldom, and deletes one of them.

    Whatever this one left with would count as the end of its Job, and so of the other.
    """
    while True:
        signal.pause()


def _wait_for(pid: int, output: PodOutput, client: StorageClient) -> int:
    """Wait for the step's process, sending what it prints; gives its end as a container's exit code."""
    while True:
        found = signal.sigtimedwait(AWAITED, OUTPUT_SECONDS)
        if found is not None and found.si_signo == signal.SIGTERM:
            os.kill(pid, signal.SIGTERM)
        while True:  # the first process of a container buries everybody
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended == pid:
                return _code_of(os.waitstatus_to_exitcode(status))
            if ended == 0:
                break
        with suppress(PhemsError, OSError):
            client.renew_if_due()
        output.send(client)
        client.close()  # the worker has a thread for each connection: none for one that says nothing


def _carry_out(orders: PodOrders, client: StorageClient) -> int:
    """Load and execute, in the step's own process; gives its exit code."""
    os.setsid()
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
        return SIGNALS_FROM + signal.SIGTERM
    except SystemExit as leaving:  # project code may leave as it likes, but not in the pod's own name
        return of_step(leaving.code if isinstance(leaving.code, int) else 1)
    return 0


def _code_of(status: int) -> int:
    """The end of the step's process as a container tells it, and not in the pod's own name."""
    if status < 0:
        return SIGNALS_FROM - status
    return status if status == PodExit.NOT_LOADED else of_step(status)


def ask_for_orders(client: StorageClient, until: float) -> PodOrders:
    """Ask for the orders, until `until` while nobody answers; another certificate is final."""
    pause = FIRST_PAUSE_SECONDS
    own_name = secrets.token_hex(16)
    while True:
        try:
            found = client.call("step", "order", (own_name,), {})
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
    sys.exit(SIGNALS_FROM + signal.SIGTERM)
