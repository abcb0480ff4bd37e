"""One step in a pod: asks for its order over the wall, loads the definitions, executes, and leaves.

One that is told no step loads first, and waits for it (`pod_wait`); what follows is the same.

The pod is used once. It holds nothing but its capability, and is told nothing but where to show it. Its first
process asks and waits; a fork of it executes, so that its words and its end are told however it ends.
"""

from __future__ import annotations

import os
import resource
import secrets
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from phems.contract.pod import ADDRESS_FILE, CAPABILITY_FILE, CERTIFICATE_FILE, PodExit, of_step
from phems.contract.step_order import HostOrder
from phems.errors import ConflictError, PhemsError, RefusedError
from phems.host import limits, privacy
from phems.host.connections import tls_connection
from phems.host.pod_orders import PodOrders, ask_for_orders
from phems.host.pod_output import PodOutput
from phems.host.pod_wait import PodWait
from phems.host.step_loop import leave_after
from phems.host.storage_client import StorageClient

if TYPE_CHECKING:  # its import takes a second, and the first process has no need of it
    from phems.host.definitions import LoadedDefinitions

OUTPUT_SECONDS = 0.5
SIGNALS_FROM = 128
AWAITED = (signal.SIGCHLD, signal.SIGTERM)
SHOWN = 4000


def run_pod(folder: str) -> NoReturn:
    """Carry out the one step of this pod, whose files lie in `folder`, and leave with its exit code."""
    # The first process of a container gets no signal that it has not asked for.
    signal.signal(signal.SIGTERM, _end)
    privacy.keep_to_itself()
    leave_after(lambda: sys.exit(_run(Path(folder))))


def _run(folder: Path) -> int:
    connect = tls_connection((folder / ADDRESS_FILE).read_text(), (folder / CERTIFICATE_FILE).read_text())
    capability = (folder / CAPABILITY_FILE).read_text
    client = StorageClient(connect, capability)
    own_name = secrets.token_hex(16)
    try:
        told = ask_for_orders(client, own_name)
    except ConflictError:
        _wait_to_be_deleted()
    except RefusedError as error:
        return _told(error, PodExit.REFUSED)
    except (PhemsError, OSError) as error:
        return _told(error, PodExit.NOT_REACHED)
    client.close()  # a fork that shared the connection would end it for both
    if "step" in told:
        orders = PodOrders.of(told)
        pid, output = _fork(lambda: _carry_out(orders, client))
        code = _wait_for(pid, output, lambda: client)
    else:
        host = HostOrder.from_json(told["host"])
        wait = PodWait(connect, capability, own_name)
        pid, output = _fork(lambda: _wait_and_carry_out(host, wait))
        wait.begin(pid)
        code = _wait_for(pid, output, lambda: wait.speaker)
        if wait.exit is not None:
            return int(wait.exit)
    return code


def _fork(work: Callable[[], int]) -> tuple[int, PodOutput]:
    """The step's own process, whose end and words this one awaits."""
    output = PodOutput()
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    pid = os.fork()
    if pid == 0:
        output.take_over()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
        leave_after(lambda: sys.exit(work()))
    return pid, output


def _wait_to_be_deleted() -> NoReturn:
    """Another pod carries the attempt out: Kubernetes has started two, seldom, and deletes one of them.

    Whatever this one left with would count as the end of its Job, and so of the other.
    """
    while True:
        signal.pause()


def _wait_for(pid: int, output: PodOutput, speaker: Callable[[], StorageClient | None]) -> int:
    """Wait for the step's process, sending what it prints; gives its end as a container's exit code."""
    while (status := _ended(pid)) is None:
        found = signal.sigtimedwait(AWAITED, OUTPUT_SECONDS)
        if found is not None and found.si_signo == signal.SIGTERM:
            os.kill(pid, signal.SIGTERM)
        if (client := speaker()) is not None:
            with suppress(PhemsError, OSError):
                client.show()
                client.renew_if_due()
            output.send(client)
            client.close()  # the worker has a thread for each connection: none for one that says nothing
    if (client := speaker()) is not None:
        output.send(client)
        _tell_use(client)
    return _code_of(os.waitstatus_to_exitcode(status))


def _tell_use(client: StorageClient) -> None:
    """What the step's process, and all that it left behind, used of the machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with suppress(PhemsError, OSError):
        client.call("step", "used", (used.ru_utime + used.ru_stime, used.ru_maxrss), {})


def _ended(pid: int) -> int | None:
    """The end of the step's process, if it has; the first process of a container buries everybody."""
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == pid:
            return status
        if ended == 0:
            return None


def _carry_out(orders: PodOrders, client: StorageClient) -> int:
    """Load and execute, in the step's own process; gives its exit code."""
    _settle(orders.host)
    # Project code comes to this process here, and its packages may need what was set just now.
    from phems.host import definitions, step_process

    try:
        loaded = definitions.load(orders.host)
    except PhemsError as error:
        with suppress(PhemsError, OSError):
            step_process.report_not_loaded(orders.step, client, str(error)[-SHOWN:])
        return _told(error, PodExit.NOT_LOADED)
    return _perform(orders, loaded, client)


def _wait_and_carry_out(host: HostOrder, wait: PodWait) -> int:
    """Load, wait, and execute what the order says then; gives the exit code."""
    _settle(host)
    from phems.host import definitions, warm_up

    try:
        loaded = definitions.load(host)
    except PhemsError as error:
        return _told(error, PodExit.NOT_LOADED)
    warm_up.warm_up(loaded.repository)
    orders = wait.take()
    return _perform(orders, loaded, wait.client_of(orders))


def _settle(host: HostOrder) -> None:
    os.setsid()
    os.environ.update(host.variables)
    limits.apply_in_pod(host.limits)


def _perform(orders: PodOrders, loaded: LoadedDefinitions, client: StorageClient) -> int:
    from phems.host import step_process

    try:
        step_process.perform(orders.host, loaded, orders.step, client, orders.note)
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


def _told(error: Exception, code: PodExit) -> int:
    sys.stderr.write(f"{error}\n")
    return int(code)


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(SIGNALS_FROM + signal.SIGTERM)
