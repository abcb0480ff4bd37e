"""The storage service: what answers behind the one door in the wall.

Each connection first shows a capability, then asks call by call. Every call is looked up in the
allow-list, confined to the caller's project, answered, and the answer filtered. Refusals are audited;
a caller that keeps being refused is cut off.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from dagster import DagsterInstance

from phems import errors
from phems.contract.capability import Capability
from phems.contract.frames import receive_frame, send_frame
from phems.contract.wire import wire_codec
from phems.engine import _dagster
from phems.engine.attempts import Attempts
from phems.engine.capabilities import LOCATION_SECONDS, STEP_SECONDS, CapabilityAuthority
from phems.engine.doors import Door, Doorkeeper
from phems.engine.holdings import Holdings, OfHoldings
from phems.engine.mlflow_calls import CALLS as MLFLOW_CALLS
from phems.engine.mlflow_calls import MlflowCalls, StepsMlflow
from phems.engine.refusals import RecordedRefusals
from phems.engine.storage_rules import RULES, bound
from phems.engine.untold import without_message

MAX_REFUSALS = 20
MAX_CONNECTIONS_PER_PROJECT = 512
MAX_STRANGERS = 256
HELLO_SECONDS = 10.0
HELLO_BYTES = 16 * 1024
VALUE_CALLS = frozenset({"keep", "find"})
POD_CALLS = frozenset({"order", "next", "say", "used"})
KNOWN_CALLS = frozenset(
    {f"{storage}.{method}" for storage, methods in RULES.items() for method in methods}
    | {f"values.{method}" for method in VALUE_CALLS}
    | {f"step.{method}" for method in POD_CALLS}
    | {f"mlflow.{method}" for method in MLFLOW_CALLS}
    | {"nothing", "unknown"}
)
"""What calls are counted by: any other name is the caller's own words."""
WAITING_CALLS = frozenset({("step", "order"), ("step", "next")})
"""All that the capability of a pod is worth that has no step yet."""
_LOG = logging.getLogger("phems.storage")

CODEC = wire_codec(_dagster)


class OutputRegister(Protocol):
    """Puts a file of the artifact area on record for a step."""

    def __call__(
        self, capability: Capability, relative_path: str, declaration: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Hash and record, with what its author declares of it; gives `path`, `sha256`, `size`."""
        ...


class ValueStore(Protocol):
    """Keeps the values of a project's steps where every machine of the node finds them."""

    def keep(self, project: str, path: str) -> None:
        """Store the value that lies at `path` of this machine's artifact folder of the project."""
        ...

    def find(self, project: str, path: str) -> str | None:
        """See that it is at hand here: where, below what is fetched, or empty for the artifact folder."""
        ...


class StepsInPods(Protocol):
    """What steps ask and tell that were started elsewhere, with nothing but their capability."""

    def order_of(self, capability: Capability, pod: str) -> Mapping[str, str] | None:
        """The order of this attempt, and that of its host, as JSON; None when there is none.

        It is the first pod's that asks, by a name of its own choice: `ConflictError` for another. A pod that
        waits is told the order of its host alone.
        """
        ...

    def next_of(self, capability: Capability, pod: str) -> Mapping[str, str] | None:
        """The orders of a pod that waits; the call is held for them, and None when there were none."""
        ...

    def awaits(self, capability: Capability) -> bool:
        """Whether the pod of this capability still waits, or has the step that it waited for."""
        ...

    def hear(self, capability: Capability, stream: object, said: object) -> None:
        """Keep what the attempt printed."""
        ...

    def use(self, capability: Capability, cpu_seconds: float, max_rss_kib: int) -> None:
        """Keep what the attempt says that it used of its machine."""
        ...


class RefusalAudit(Protocol):
    """Writes the audit entry of a refused call."""

    def __call__(self, capability: Capability, method: str, reason: str) -> None:
        """Record it; an error here ends the connection."""
        ...


@dataclass(frozen=True)
class ServiceParts:
    """What the service stands on."""

    instance: DagsterInstance
    authority: CapabilityAuthority
    attempts: Attempts
    asset_prefixes: Callable[[str], str]
    host_is_live: Callable[[str, str], bool]
    register_output: OutputRegister
    audit_refusal: RefusalAudit
    values: ValueStore | None = None
    pods: StepsInPods | None = None
    """None where steps are processes of this machine: they are handed their orders, and print to files."""
    mlflow: StepsMlflow | None = None


@dataclass
class CallerScope(OfHoldings):
    """One connection's capability and what it owns; remembers the answers for its short life."""

    parts: ServiceParts
    capability: Capability
    asset_prefix: str
    projects: tuple[str, ...] = ()
    asset_prefixes: tuple[str, ...] = ()
    holdings: Holdings = field(init=False)
    mlflow: MlflowCalls = field(init=False)

    def __post_init__(self) -> None:
        self.mlflow = MlflowCalls(self.parts.mlflow, self.parts.instance, lambda: self.capability)
        self.projects = (self.capability.project,)
        self.asset_prefixes = (self.asset_prefix,)
        own = {self.capability.run_id} if self.capability.run_id else set()
        self.holdings = Holdings(self.parts.instance, self.projects, own)

    def owns_plan_snapshot(self, snapshot_id: str) -> bool:
        """See `storage_rules.Scope`."""
        run_id = self.capability.run_id
        run = self.parts.instance.get_run_by_id(run_id) if run_id else None
        return run is not None and run.execution_plan_snapshot_id == snapshot_id


class StorageService:
    """Serves behind a door until closed."""

    def __init__(self, door: Door, parts: ServiceParts) -> None:
        self.door = door
        self._parts = parts
        self._refusals = RecordedRefusals(parts.audit_refusal)
        self._connections: dict[str, int] = {}
        # From nought: of a counter that comes up as 1 Prometheus sees no increase.
        self._calls = Counter(dict.fromkeys(((name, "refused") for name in KNOWN_CALLS), 0))
        self._strangers = threading.BoundedSemaphore(MAX_STRANGERS)
        self._lock = threading.Lock()
        self._server = Doorkeeper(
            door, self.converse, lambda: self._strangers.acquire(blocking=False), self._strangers.release
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 3600.0},
            name="phems-storage",
            daemon=True,
        )
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it takes connections."""
        return self._thread.is_alive()

    def calls(self) -> Mapping[tuple[str, str], int]:
        """How many calls of each method came, by how they ended: done, refused or failed."""
        with self._lock:
            return dict(self._calls)

    def close(self) -> None:
        """Stop listening; connections end with their processes."""
        # serve_forever looks at its flag between selects: a connection wakes it at once.
        stopping = threading.Thread(target=self._server.shutdown, daemon=True)
        stopping.start()
        while stopping.is_alive():
            self.door.knock()
            stopping.join(0.05)
        self._server.server_close()
        self.door.close()

    def converse(self, caller: socket.socket) -> None:
        """Serve one connection from its capability to its end."""
        with contextlib.ExitStack() as stack:
            try:
                try:
                    # Nobody is known yet: whoever it is may not hold a thread for long, or memory at all.
                    until = time.monotonic() + HELLO_SECONDS
                    caller.settimeout(HELLO_SECONDS)
                    peer = stack.enter_context(self.door.secured(caller))
                    scope = self._admit(peer, until)
                finally:
                    self._strangers.release()
                if scope is None:
                    return
                try:
                    self._answer_calls(peer, scope)
                finally:
                    scope.mlflow.close()
                    self._leave(scope.capability.project)
            except (OSError, errors.PhemsError):
                return  # the peer is gone or talks nonsense: its process or its node will notice
            except Exception as error:  # noqa: BLE001 (the peer is hostile; the service goes on)
                _LOG.error("a connection of the storage service failed:\n%s", without_message(error))

    def _admit(self, peer: socket.socket, until: float) -> CallerScope | None:
        hello = receive_frame(peer, HELLO_BYTES, until=until)
        peer.settimeout(None)
        try:
            token = hello.get("capability") if isinstance(hello, dict) else None
            if not isinstance(token, str):
                raise errors.RefusedError("The first message must be a capability.")
            capability = self._parts.authority.verify(token)
            self._check_alive(capability)
            self._enter(capability.project)
        except errors.PhemsError as error:
            send_frame(peer, _error(error))
            return None
        return CallerScope(self._parts, capability, self._parts.asset_prefixes(capability.project))

    def _answer_calls(self, peer: socket.socket, scope: CallerScope) -> None:
        send_frame(peer, {"result": {"seconds": self._parts.authority.seconds_left(scope.capability)}})
        refusals = 0
        while (request := receive_frame(peer)) is not None:
            answer: dict[str, Any]
            ended = "failed"
            try:
                answer = {"result": CODEC.encode(self._call(scope, request))}
                ended = "done"
            except errors.RefusedError as error:
                refusals += 1
                ended = "refused"
                self._refusals.add(scope.capability, _known_name(request), error.logged or error.what)
                answer = _error(error)
            except errors.PhemsError as error:
                answer = _error(error)
            except Exception as error:  # noqa: BLE001 (the peer is hostile; the service goes on)
                name, project = _known_name(request), scope.capability.project
                _LOG.error(
                    "%s failed for project %s:\n%s",
                    name,
                    project,
                    without_message(error),
                    extra={"project": project, "run_id": scope.capability.run_id},
                )
                answer = _error(
                    errors.PhemsError(f"{_name_of(request)} failed in the node.", why=type(error).__name__)
                )
            self._count(_known_name(request), ended)
            send_frame(peer, answer)
            if refusals >= MAX_REFUSALS:
                return

    def _call(self, scope: CallerScope, request: object) -> Any:
        if not isinstance(request, dict):
            raise errors.RefusedError("A request must be an object.")
        if self._parts.authority.seconds_left(scope.capability) <= 0:
            raise errors.RefusedError("The capability has expired.")
        self._check_alive(scope.capability)
        storage, method = str(request.get("storage")), str(request.get("method"))
        if scope.capability.kind == "waiting" and (storage, method) not in WAITING_CALLS:
            raise errors.RefusedError("A pod that waits may ask for its step, and nothing else.")
        args = [CODEC.decode(value) for value in request.get("args", [])]
        kwargs = {str(key): CODEC.decode(value) for key, value in request.get("kwargs", {}).items()}
        answer = self._beside_dagster(scope, storage, method)
        if answer is not None:
            return answer(args)
        rule = RULES.get(storage, {}).get(method)
        if rule is None:
            raise errors.RefusedError(
                f"The storage service has no {storage}.{method}.",
                logged="The storage service has no such method.",
            )
        asked = self._storage(storage)
        try:
            arguments = bound(asked, method, args, kwargs)
        except TypeError as error:
            raise errors.InputError(f"{method} was called with wrong arguments.", why=str(error)) from error
        rule.confine(scope, arguments)
        result = getattr(asked, method)(**arguments)
        return rule.keep(scope, result) if rule.keep else result

    def _beside_dagster(
        self, scope: CallerScope, storage: str, method: str
    ) -> Callable[[list[Any]], Any] | None:
        """What answers a call that is none of Dagster's storages."""
        capability = scope.capability
        match storage:
            case "capability" if method == "renew":
                return lambda _args: self._renew(scope)
            case "outputs" if method == "register":
                return lambda args: self._parts.register_output(capability, *_output_and_declaration(args))
            case "values" if method in VALUE_CALLS:
                return lambda args: self._value(capability, method, args)
            case "step" if method in POD_CALLS:
                return lambda args: self._of_pod(capability, method, args)
            case "mlflow" if method in MLFLOW_CALLS:
                return lambda args: scope.mlflow.call(method, args)
        return None

    def _value(self, capability: Capability, method: str, args: list[Any]) -> str | None:
        values = self._parts.values
        if values is None or capability.kind != "step":
            raise errors.RefusedError("Only a step can keep and find values, where machines share a bucket.")
        match args:
            case [str(path)]:
                ask = values.keep if method == "keep" else values.find
                return ask(capability.project, path)
        raise errors.InputError("A value is kept and found by its path.")

    def _of_pod(self, capability: Capability, method: str, args: list[Any]) -> Mapping[str, str] | None:
        pods = self._parts.pods
        if pods is None or capability.kind == "location":
            raise errors.RefusedError("Only a step in a pod asks for its order, and says what it prints.")
        match method, args:
            case "next", [str(pod)]:
                if capability.kind != "waiting":
                    raise errors.RefusedError("Only a pod that waits asks for its step.")
                return pods.next_of(capability, pod)
            case "order", [str(pod)]:
                if (order := pods.order_of(capability, pod)) is None:
                    raise errors.RefusedError("There is no order for this attempt.")
                return order
            case "say", [stream, said]:
                pods.hear(capability, stream, said)
                return None
            case "used", [int() | float() as cpu_seconds, int(max_rss_kib)] if capability.kind == "step":
                pods.use(capability, cpu_seconds, max_rss_kib)
                return None
        raise errors.InputError(f"step.{method} was called with wrong arguments.")

    def _storage(self, storage: str) -> Any:
        instance = self._parts.instance
        return {
            "runs": instance.run_storage,
            "events": instance.event_log_storage,
            "schedules": instance.schedule_storage,
        }[storage]

    def _renew(self, scope: CallerScope) -> dict[str, Any]:
        seconds = STEP_SECONDS if scope.capability.kind == "step" else LOCATION_SECONDS
        scope.capability = replace(scope.capability, expires_at=self._parts.authority.expiry(seconds))
        return {"capability": self._parts.authority.issue(scope.capability), "seconds": seconds}

    def _check_alive(self, capability: Capability) -> None:
        if capability.kind == "step":
            alive = self._parts.attempts.is_live(
                capability.run_id or "", capability.step_key or "", capability.attempt or 0
            )
        elif capability.kind == "waiting":
            alive = self._parts.pods is not None and self._parts.pods.awaits(capability)
        else:
            alive = self._parts.host_is_live(capability.project, capability.code_digest)
        if not alive:
            raise errors.RefusedError(
                "The capability names something that has ended.",
                why="The step's attempt, its run or its host is over.",
            )

    def _count(self, method: str, ended: str) -> None:
        with self._lock:
            self._calls[method, ended] += 1

    def _enter(self, project: str) -> None:
        with self._lock:
            count = self._connections.get(project, 0)
            if count >= MAX_CONNECTIONS_PER_PROJECT:
                raise errors.UnavailableError(f"The project {project} holds {count} connections already.")
            self._connections[project] = count + 1

    def _leave(self, project: str) -> None:
        with self._lock:
            self._connections[project] -= 1


def _output_and_declaration(args: list[Any]) -> tuple[str, Mapping[str, Any] | None]:
    match args:
        case [str(path)] | [str(path), None]:
            return path, None
        case [str(path), dict(declaration)]:
            return path, declaration
    raise errors.InputError("An output is registered by its path and what is declared of it.")


def _known_name(request: object) -> str:
    """The method that is asked for, when there is one: any other name is the caller's own words."""
    if not isinstance(request, dict):
        return "nothing"
    name = f"{request.get('storage')}.{request.get('method')}"
    return name if name in KNOWN_CALLS else "unknown"


def _name_of(request: object) -> str:
    if isinstance(request, dict):
        return f"{request.get('storage')}.{request.get('method')}"[:120]
    return "nothing"


def _error(error: errors.PhemsError) -> dict[str, Any]:
    return {
        "error": {"type": type(error).__name__, "what": error.what, "why": error.why, "remedy": error.remedy}
    }
