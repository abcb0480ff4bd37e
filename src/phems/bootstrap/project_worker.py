"""One worker process: it serves one project of a pool, with its own hosts and its own door in the wall.

It takes steps from the project's queue until SIGTERM, then ends when those that it performs have ended. When
the node has declared it lost it ends at once: its steps were given to others.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from celery.signals import worker_shutting_down

from phems.adapters.celery.app import make_app
from phems.adapters.celery.consumer import StepConsumer
from phems.adapters.celery.messages import MessageSigner
from phems.adapters.host_plans import asset_prefix, limits_of
from phems.adapters.open_files import allow_many
from phems.adapters.postgres.dagster_storage import DagsterStorages, open_storages
from phems.adapters.postgres.notifications import Notifications
from phems.adapters.postgres.step_leases import PostgresWorkerLeases
from phems.adapters.runtime_dir import ensure_runtime_dir
from phems.adapters.telemetry import traces_of
from phems.bootstrap.broker import broker_access, message_key
from phems.bootstrap.channels import CODE_CHANNEL, KILL_CHANNEL, POLICY_CHANNEL
from phems.bootstrap.control_plane import Record, choose_sandbox, wall_of
from phems.bootstrap.database import open_database
from phems.bootstrap.mlflow import check_mlflow
from phems.bootstrap.node import Node
from phems.bootstrap.served_code import RunnableCode
from phems.bootstrap.usage import meter_of
from phems.bootstrap.worker_watch import worker_listener
from phems.domain.actors import NODE
from phems.engine.pod_plane import PodPlane
from phems.engine.sandbox import SandboxLauncher
from phems.engine.step_queue import WorkerFacts
from phems.engine.traces import Traces
from phems.engine.worker_plane import WorkerPlane, WorkerPlaneParts
from phems.errors import PhemsError, UnavailableError
from phems.nodespec import load_node, node_paths
from phems.nodespec.governed import granted_anew

_LOG = logging.getLogger("phems.worker")
BEAT_SECONDS = 1.0
EXIT_LOST = 3


class ProjectWorker:
    """See the module's docstring. `run` once."""

    def __init__(self, folder: Path, facts: WorkerFacts) -> None:
        self.facts = facts
        self._stopping = threading.Event()
        spec = load_node(folder)
        paths = node_paths(spec, folder)
        self._base_dir = paths.runtime_dir
        self._paths = replace(paths, runtime_dir=paths.runtime_dir / f"w{os.getpid()}")
        self._spec = spec

    def run(self) -> None:
        """Serve until SIGTERM."""
        with ExitStack() as stack:
            consumer = self._start(stack)
            consumer.run(self.facts.id, self.facts.concurrency)
            self._stopping.set()

    def _start(self, stack: ExitStack) -> StepConsumer:
        spec, paths, project = self._spec, self._paths, self.facts.project
        allow_many()
        ensure_runtime_dir(self._base_dir)
        ensure_runtime_dir(paths.runtime_dir)
        stack.callback(shutil.rmtree, paths.runtime_dir, ignore_errors=True)
        in_pods = spec.profile == "kubernetes"
        launcher = None if in_pods else choose_sandbox(spec)
        database = stack.enter_context(open_database(spec, paths, start=False))
        self._node = node = Node(spec, paths, database)
        node.follow_policies()
        check_mlflow(spec)
        stack.callback(node.mlflow.close)
        record = Record(node)
        self._runnable = RunnableCode(node, record)
        traces = traces_of(spec, "worker")
        if traces is not None:
            stack.callback(traces.close)
        leases = PostgresWorkerLeases(database.engine("dagster"), self.facts)
        storages = open_storages(
            database.url("dagster"), leases.check_living, connections=spec.database.connections.engine
        )
        stack.callback(storages.close)
        self._plane: WorkerPlane | PodPlane
        if launcher is None:
            from phems.bootstrap.pod_plane import pod_plane_of

            self._plane = pod_plane_of(node, storages, record, project, leases, stack, traces)
        else:
            self._plane = self._hosted_plane(launcher, storages, record, leases, traces)
            stack.callback(self._plane.close)
        listener = Notifications(
            database.url("dagster"),
            {
                KILL_CHANNEL: self._plane.runner.kill_run,
                CODE_CHANNEL: self._follow_code,
                POLICY_CHANNEL: lambda _scope: self._follow_policies(),
            },
            on_reconnect=self._follow_policies,
        )
        stack.callback(listener.close)
        leases.register()
        stack.callback(leases.leave)
        beating = threading.Thread(target=partial(self._beat, leases), name="phems-beat", daemon=True)
        beating.start()
        stack.callback(beating.join)
        stack.callback(self._stopping.set)
        hosts = self._plane.hosts.status if isinstance(self._plane, WorkerPlane) else list
        meter = meter_of(node, hosts, self._plane.counted)
        metering = threading.Thread(target=meter.run, args=[self._stopping], name="phems-cpu-meter")
        metering.start()
        stack.callback(metering.join)
        stack.callback(self._stopping.set)
        listening = worker_listener(spec, self._plane)
        if listening is not None:
            stack.callback(listening.close)
        self._plane.serve(self._digest())
        worker_shutting_down.connect(lambda **_: self._plane.drain(), weak=False)
        signer = MessageSigner(message_key(paths.keys))
        app = make_app(broker_access(spec, paths, project), signer)
        stack.callback(app.close)
        return StepConsumer(app, signer, self._plane.runner.perform, self._tell_forged)

    def _hosted_plane(
        self,
        launcher: SandboxLauncher,
        storages: DagsterStorages,
        record: Record,
        leases: PostgresWorkerLeases,
        traces: Traces | None,
    ) -> WorkerPlane:
        project = self.facts.project
        settings = self._spec.project(project)
        return WorkerPlane(
            WorkerPlaneParts(
                wall=wall_of(self._node, launcher, storages, record),
                project=project,
                asset_prefix=asset_prefix(project),
                concurrency=settings.queue.concurrency,
                limits=limits_of(settings),
                leases=leases,
                admitted=self._node.runs.admitted_data,
                traces=traces,
            )
        )

    def _beat(self, leases: PostgresWorkerLeases) -> None:
        while not self._stopping.wait(BEAT_SECONDS):
            try:
                lives = leases.beat()
            except UnavailableError:
                continue  # it is the leader that counts
            if not lives:
                _LOG.error("this worker was declared lost: it ends, and begins anew")
                # At once and without a word: whatever it would still say is no longer its to say.
                os._exit(EXIT_LOST)

    def _digest(self) -> str | None:
        revision = self._runnable.of(self.facts.project)
        return revision.digest if revision is not None else None

    def _follow_code(self, project: str) -> None:
        if project == self.facts.project:
            self._plane.serve(self._digest())

    def _follow_policies(self) -> None:
        """Other rules may be in force: a host gets the data that it is granted now."""
        before = self._node.spec
        self._node.follow_policies()
        if self.facts.project in granted_anew(before, self._node.spec):
            self._plane.forget_grants()
        self._follow_code(self.facts.project)

    def _tell_forged(self, why: str) -> None:
        """A message that is not the node's own is on record before it is dropped."""
        try:
            with self._node.governance.transaction() as tx:
                tx.audit.append(
                    NODE,
                    "step.message",
                    self.facts.project,
                    project=self.facts.project,
                    result="refused",
                    details={"reason": why},
                )
        except PhemsError:
            _LOG.exception("a forged message could not be put on record")
            raise
