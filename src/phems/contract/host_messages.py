"""What the control plane and a project host say to each other over the host's control socket.

The socket is a sequenced-packet pair that the host inherits: a message is one packet of JSON.
Down: `StartStep` (with three file descriptors: the step's order, its stdout, its stderr) and
`KillStep`. Up: `HostLoaded` or `HostFailed` once, then `StepStarted` and `StepExited` per step.
The order itself, capability included, travels in a pipe that the host hands on unread, so that no
later step can find it in the memory that it was forked from.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from phems.errors import IntegrityError

MAX_MESSAGE_BYTES = 128 * 1024
LARGEST_LETTER_BYTES = 16  # in JSON: two \\uXXXX, and room for the rest of the message


@dataclass(frozen=True)
class StartStep:
    """Have a process execute one step attempt. `task_id` is unique in the life of the host.

    Attempts of one `family` (branches of one fan-out) may follow each other in one process; with an
    empty family the process is a fork of its own.
    """

    kind: ClassVar[str] = "start"
    task_id: int
    family: str = ""


@dataclass(frozen=True)
class KillStep:
    """End a step's whole process tree: politely first, or at once with `force`."""

    kind: ClassVar[str] = "kill"
    task_id: int
    force: bool = False


@dataclass(frozen=True)
class HostLoaded:
    """The definitions are loaded and the code server listens. `load_seconds` is wall time."""

    kind: ClassVar[str] = "loaded"
    load_seconds: float
    limits: str


@dataclass(frozen=True)
class HostFailed:
    """The definitions did not load; `error` is text from project code and stays in the node."""

    kind: ClassVar[str] = "failed"
    error: str


@dataclass(frozen=True)
class StepStarted:
    """The process of a step exists; `pid` is its number inside the sandbox."""

    kind: ClassVar[str] = "started"
    task_id: int
    pid: int


@dataclass(frozen=True)
class StepExited:
    """The process of a step has ended and its tree is gone.

    `status` is the exit code, or minus the signal; `cpu_seconds` and `max_rss_kib` are its use.
    """

    kind: ClassVar[str] = "exited"
    task_id: int
    status: int
    cpu_seconds: float
    max_rss_kib: int


HostMessage = StartStep | KillStep | HostLoaded | HostFailed | StepStarted | StepExited

_BY_KIND: dict[str, type[Any]] = {
    message.kind: message
    for message in (StartStep, KillStep, HostLoaded, HostFailed, StepStarted, StepExited)
}

# By the names that the fields are annotated with.
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "bool": (bool,), "str": (str,)}


def pack(message: HostMessage) -> bytes:
    """One packet for a message; long error texts are cut to what a packet holds."""
    values = asdict(message)
    if isinstance(message, HostFailed):
        values["error"] = message.error[-MAX_MESSAGE_BYTES // LARGEST_LETTER_BYTES :]
    return json.dumps({"kind": message.kind, **values}).encode()


def unpack(packet: bytes) -> HostMessage:
    """The message of a packet; raises `IntegrityError` for anything else."""
    try:
        values = json.loads(packet)
        message = _BY_KIND[values.pop("kind")](**values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _nobody_knows(repr(error)) from error
    for field in fields(message):
        value = getattr(message, field.name)
        if not isinstance(value, _TYPES[str(field.type)]):
            raise _nobody_knows(f"{field.name} is no {field.type}")
        if isinstance(value, float) and not math.isfinite(value):  # which JSON does not have, nor Postgres
            raise _nobody_knows(f"{field.name} is no number")
    return message  # type: ignore[no-any-return]


def _nobody_knows(why: str) -> IntegrityError:
    return IntegrityError("The project host sent a message that nobody knows.", why=why)
