"""A storage service behind TLS on this machine, with steps that run: what a worker on a cluster has."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg

from phems.adapters.wall_certificate import wall_certificate
from phems.contract.capability import Capability
from phems.engine.attempts import Attempts
from phems.engine.capabilities import CapabilityAuthority
from phems.engine.doors import TlsDoor
from phems.engine.step_output import StepOutput
from phems.engine.storage_service import ServiceParts, StorageService
from phems.engine.tags import PROJECT_TAG
from phems.engine.warm_pods import WarmPods
from phems.errors import ConflictError
from phems.host.connections import tls_connection
from phems.host.storage_client import StorageClient

ADDRESS = "127.0.0.1"
ANY_PORT = [0]


@dataclass
class TlsWall:
    """A running service. `orders` are those that steps may ask for, by step key."""

    door: TlsDoor
    certificate: str
    instance: dg.DagsterInstance
    authority: CapabilityAuthority = field(
        default_factory=lambda: CapabilityAuthority(clock=lambda: time.monotonic())  # noqa: PLW0108 (a test's)
    )
    attempts: Attempts = field(default_factory=Attempts)
    orders: dict[str, Mapping[str, str]] = field(default_factory=dict)
    pods: dict[str, str] = field(default_factory=dict)
    turned_away: threading.Event = field(default_factory=threading.Event)
    """A second pod has asked for an order."""
    output: StepOutput | None = None
    used: list[tuple[float, int]] = field(default_factory=list)
    """What pods told of their use of the machine."""
    warm: WarmPods | None = None

    @property
    def address(self) -> str:
        """Where it is."""
        return f"{ADDRESS}:{self.door.port}"

    def run(self, project: str) -> dg.DagsterRun:
        """A run of a project."""

        @dg.op
        def nothing() -> None:
            """Nothing."""

        @dg.job
        def empty() -> None:
            nothing()

        return self.instance.create_run_for_job(empty, tags={PROJECT_TAG: project})

    def step(self, project: str = "heart", seconds: float = 60, run_id: str | None = None) -> Capability:
        """A step that runs, and what it may do."""
        expires = time.monotonic() + seconds
        run_id = run_id or self.run(project).run_id
        self.attempts.begin(run_id, "s", 1)
        return Capability("step", project, expires, "d", run_id=run_id, step_key="s", attempt=1)

    def order_of(self, capability: Capability, pod: str) -> Mapping[str, str] | None:
        """See `StepsInPods`."""
        if capability.kind == "waiting":
            assert self.warm is not None
            return self.warm.what_to_load(capability, pod)
        if self.pods.setdefault(capability.step_key or "", pod) != pod:
            self.turned_away.set()
            raise ConflictError("Another pod has the order of this attempt.")
        return self.orders.get(capability.step_key or "")

    def next_of(self, capability: Capability, pod: str) -> Mapping[str, str] | None:
        """See `StepsInPods`."""
        assert self.warm is not None
        return self.warm.next_step(capability, pod)

    def awaits(self, capability: Capability) -> bool:
        """See `StepsInPods`."""
        return self.warm is not None and self.warm.awaits(capability)

    def use(self, capability: Capability, cpu_seconds: float, max_rss_kib: int) -> None:
        """What its processes used."""
        self.used.append((cpu_seconds, max_rss_kib))

    def hear(self, capability: Capability, stream: object, said: object) -> None:
        """See `StepsInPods`."""
        assert self.output is not None
        self.output.hear(capability, stream, said)

    def client(self, token: str, certificate: str | None = None) -> StorageClient:
        """A client that shows this, and expects this certificate."""
        return StorageClient(tls_connection(self.address, certificate or self.certificate), lambda: token)


@contextmanager
def tls_wall() -> Iterator[TlsWall]:
    """It serves until the end of the block."""
    with dg.DagsterInstance.ephemeral() as instance:
        context, certificate = wall_certificate(ADDRESS, dt.datetime.now(dt.UTC))
        made = TlsWall(TlsDoor(ADDRESS, ANY_PORT, context), certificate, instance)
        service = StorageService(
            made.door,
            ServiceParts(
                instance=instance,
                authority=made.authority,
                attempts=made.attempts,
                asset_prefixes=lambda project: project,
                host_is_live=lambda _project, _digest: False,
                register_output=lambda _capability, path, _declared: {"path": path},
                audit_refusal=lambda _capability, _method, _reason: None,
                pods=made,
            ),
        )
        try:
            yield made
        finally:
            service.close()
