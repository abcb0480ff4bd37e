"""The warm pods of a worker's one project: made ahead, given one step each, and replaced.

A pod asks what to load, loads it, and asks for its step: that call is held until there is one. Only a pod
that waits at the door at this moment is given a step: none is sent to where nobody may be any more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from phems.contract.capability import Capability
from phems.contract.step_order import HostOrder, StepOrder
from phems.domain.warm_pods import MOVES, Failures, Upkeep, WarmEvent, WarmPod, WarmState, upkeep
from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StepTask
from phems.errors import ConflictError, PhemsError, RefusedError

_LOG = logging.getLogger("phems.warm")
HELD_SECONDS = 25.0


@dataclass(frozen=True)
class WaitingPod:
    """A pod that is to wait: the name of its Job, and the code that it loads."""

    name: str
    project: str
    code_digest: str


class WarmJobs(Protocol):
    """Keeps Jobs of pods that wait."""

    def keep(self, pod: WaitingPod, on_end: Callable[[str], None]) -> None:
        """Have one made; `on_end(why)` is called when it ends before an attempt was its own."""
        ...

    def adopt(self, name: str, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """Have it carry out an attempt; False when it has ended. `on_end` is called once."""
        ...

    def dismiss(self, name: str) -> None:
        """Delete it."""
        ...


@dataclass(frozen=True)
class WarmParts:
    """What it stands on; `verify` and `host_order` are by project and code digest."""

    jobs: WarmJobs
    project: str
    number: int
    """How many pods wait; each is of the project's default size."""
    name_of: Callable[[int], str]
    is_default_size: Callable[[str], bool]
    """Whether the step of this key runs in that size."""
    host_order: Callable[[str, str], HostOrder]
    verify: Callable[[str, str], None]
    issue: Callable[[StepTask], str]


@dataclass
class _Pod:
    of: WaitingPod
    made_at: float
    state: WarmState = WarmState.STARTING
    asked_by: str | None = None
    """The name that the first pod gave itself that asked: Kubernetes may start two."""
    host: HostOrder | None = None
    held: int = 0
    """How many of its calls wait at the door now."""
    order: Mapping[str, str] | None = None

    def move(self, event: WarmEvent) -> bool:
        """Whether this may happen to it now; then it has."""
        after = MOVES.get((self.state, event))
        self.state = after or self.state
        return after is not None

    def as_it_is(self) -> WarmPod:
        return WarmPod(self.of.name, self.state, self.of.code_digest, self.made_at)


@dataclass
class _Wanted:
    code_digest: str | None = None
    failures: Failures = field(default_factory=Failures)


class WarmPods:
    """See the module's docstring. `start` once, then `close` once; with `number` 0 it does nothing."""

    def __init__(self, parts: WarmParts, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._clock = clock
        self._pods: dict[str, _Pod] = {}
        self._made = 0
        self._wanted = _Wanted()
        self._is_draining = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._keep_up, name="phems-warm", daemon=True)

    def start(self) -> None:
        """Begin to keep pods waiting, once there is code."""
        if self._parts.number:
            self._thread.start()

    def serve(self, code_digest: str | None) -> None:
        """Have pods wait with this code; None when none is approved."""
        with self._changed:
            if code_digest != self._wanted.code_digest:
                self._wanted = _Wanted(code_digest)
                self._changed.notify_all()

    def drain(self) -> None:
        """Make no more, and dismiss those that wait."""
        with self._changed:
            self._is_draining = True
            self._changed.notify_all()

    def close(self) -> None:
        """As `drain`, and wait until it is done."""
        self.drain()
        if self._thread.ident is not None:
            self._thread.join()

    def carry(
        self, task: StepTask, host: HostOrder, step: StepOrder, on_end: Callable[[StepEnd], None]
    ) -> bool:
        """Have a pod that waits carry out an attempt; False when none fits."""
        if not self._parts.number or not self._parts.is_default_size(task.step_key):
            return False
        while (pod := self._take(task, host)) is not None:
            name = pod.of.name

            def ended(end: StepEnd, name: str = name) -> None:
                self._forget(name)
                on_end(end)

            # First the Job's end is the attempt's, then the pod is told: whatever becomes of it is heard.
            if not self._parts.jobs.adopt(name, task, ended):
                self._forget(name)
                continue
            order = replace(step, capability=self._parts.issue(task))
            note = f"A warm pod carries this step out: the Job {name} had loaded the definitions before."
            with self._changed:
                pod.order = {"host": host.to_json(), "step": order.to_json(), "note": note}
                self._changed.notify_all()
            return True
        return False

    def awaits(self, capability: Capability) -> bool:
        """Whether the pod of this capability is one of these, and not gone."""
        with self._changed:
            pod = self._pods.get(capability.pod or "")
            return pod is not None and self._is_of(pod, capability)

    def what_to_load(self, capability: Capability, asked_by: str) -> Mapping[str, str]:
        """The surroundings of a pod that waits, as JSON; its step it asks for when it has loaded."""
        with self._changed:
            pod = self._asking(capability)
            pod.asked_by = pod.asked_by or asked_by
            _check_asker(pod, asked_by)
            if not pod.move(WarmEvent.ASKS_WHAT_TO_LOAD) or pod.host is None:
                raise RefusedError("This pod has been told what to load.")
            return {"host": pod.host.to_json()}

    def next_step(self, capability: Capability, asked_by: str) -> Mapping[str, str] | None:
        """Its step, as soon as there is one; None when there was none for a while: it asks again."""
        with self._changed:
            pod = self._asking(capability)
            if pod.asked_by is not None:
                _check_asker(pod, asked_by)
            if not pod.move(WarmEvent.ASKS_FOR_ITS_STEP):
                raise RefusedError("This pod is given no step.")
            pod.held += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(
                    lambda: pod.order is not None or pod.state is WarmState.GONE, HELD_SECONDS
                )
            finally:
                pod.held -= 1
            if pod.order is None and pod.state is WarmState.GONE:
                raise RefusedError("This pod is not wanted any more.")
            return pod.order

    def _asking(self, capability: Capability) -> _Pod:
        pod = self._pods.get(capability.pod or "")
        if pod is None or not self._is_of(pod, capability):
            raise RefusedError("There is no such pod that waits for a step.")
        return pod

    def _is_of(self, pod: _Pod, capability: Capability) -> bool:
        return (
            pod.state is not WarmState.GONE
            and capability.kind == "waiting"
            and (capability.project, capability.code_digest) == (pod.of.project, pod.of.code_digest)
        )

    def _take(self, task: StepTask, host: HostOrder) -> _Pod | None:
        with self._changed:
            for pod in self._pods.values():
                if pod.held and _fits(pod, task, host) and pod.move(WarmEvent.ASSIGNED):
                    self._wanted.failures = Failures()
                    self._changed.notify_all()  # another takes its place
                    return pod
        return None

    def _forget(self, name: str) -> None:
        with self._changed:
            if (pod := self._pods.pop(name, None)) is not None:
                pod.move(WarmEvent.ENDED)
                self._changed.notify_all()

    def _ended(self, name: str, why: str) -> None:
        """A pod's Job has ended before a step was its own; one that was dismissed is no failure."""
        with self._changed:
            pod = self._pods.get(name)
            if pod is not None and pod.state is not WarmState.TAKEN:
                if pod.move(WarmEvent.ENDED):
                    self._failed(pod, why)
                del self._pods[name]
                self._changed.notify_all()

    def _failed(self, pod: _Pod, why: str) -> None:
        if self._is_draining or pod.of.code_digest != self._wanted.code_digest:
            return
        count = self._wanted.failures.count + 1
        self._wanted.failures = Failures(count, self._clock())
        _LOG.warning("%d warm pods of %s in a row had no step: %s", count, pod.of.project, why)

    def _keep_up(self) -> None:
        while True:
            with self._changed:
                todo = self._todo()
                if not todo.dismiss and not todo.make:
                    if self._is_draining:
                        return
                    wait = None if todo.look_at is None else max(0.05, todo.look_at - self._clock())
                    self._changed.wait(wait)
                    continue
                for name in todo.dismiss:
                    self._pods[name].move(WarmEvent.DISMISSED)
                if todo.dismiss:
                    self._changed.notify_all()
                made = [self._put() for _ in range(todo.make)]
            for name in todo.dismiss:
                self._parts.jobs.dismiss(name)
                self._forget(name)
            for pod in made:
                self._make(pod)

    def _todo(self) -> Upkeep:
        pods = [pod.as_it_is() for pod in self._pods.values()]
        code_digest = None if self._is_draining else self._wanted.code_digest
        return upkeep(pods, code_digest, self._parts.number, self._wanted.failures, self._clock())

    def _put(self) -> _Pod:
        """Give one a place, before anybody can ask in its name."""
        self._made += 1
        digest = self._wanted.code_digest or ""
        of = WaitingPod(self._parts.name_of(self._made), self._parts.project, digest)
        pod = self._pods[of.name] = _Pod(of, self._clock())
        return pod

    def _make(self, pod: _Pod) -> None:
        name, project, digest = pod.of.name, pod.of.project, pod.of.code_digest
        try:
            self._parts.verify(project, digest)
            host = self._parts.host_order(project, digest)
        except PhemsError as error:
            self._ended(name, str(error))
            return
        with self._changed:
            pod.host = host
        self._parts.jobs.keep(pod.of, lambda why: self._ended(name, why))


def _check_asker(pod: _Pod, asked_by: str) -> None:
    if pod.asked_by != asked_by:
        raise ConflictError("Another pod waits in this one's place.")


def _fits(pod: _Pod, task: StepTask, host: HostOrder) -> bool:
    """The same code, loaded in the same surroundings; which data is granted is told with the step."""
    if pod.host is None or (pod.of.project, pod.of.code_digest) != (task.project, task.code_digest):
        return False
    return replace(pod.host, sources={}) == replace(host, sources={})
