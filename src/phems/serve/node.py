"""A control process: gateway, daemon, orchestrator, publisher, until it is told to stop.

An embedded node has one, with everything in it. A server node may have several: each serves people, one of
them drives the runs (`serve.leading`), and worker processes perform the steps (`serve.pool`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from phems.adapters.node_lock import NodeLock
from phems.adapters.node_log import node_log
from phems.adapters.open_files import allow_many
from phems.adapters.postgres.dagster_storage import EVENT_CHANNEL
from phems.adapters.postgres.notifications import Notifications
from phems.adapters.postgres.stores.audit import CHANGED_CHANNEL
from phems.adapters.runtime_dir import ensure_runtime_dir
from phems.adapters.status_file import StatusFile
from phems.adapters.telemetry import traces_of
from phems.bootstrap import Node, started_node
from phems.bootstrap.channels import CODE_CHANNEL, POLICY_CHANNEL, RELEASE_CHANNEL
from phems.bootstrap.control_plane import Record, build_control_plane, choose_launcher
from phems.bootstrap.control_roles import control_roles
from phems.bootstrap.lineage import lineage_keeper_of
from phems.bootstrap.log_secrets import keys_in
from phems.bootstrap.mlflow import check_mlflow
from phems.bootstrap.node_watch import Living, NodeWatch
from phems.bootstrap.notifying import notifier_of
from phems.bootstrap.served_code import ServedCode
from phems.bootstrap.usage import meter_of
from phems.domain.live_changes import Changed
from phems.engine.control_plane import ControlPlane
from phems.engine.orchestrator import unfinished_runs
from phems.engine.tags import PROJECT_TAG
from phems.engine.traces import Traces
from phems.errors import PhemsError
from phems.nodespec import load_node, node_paths
from phems.nodespec.governed import granted_anew, granted_less
from phems.serve.leading import AlwaysLeading, Leading
from phems.serve.lineage import LineageLooking
from phems.serve.looking import Looking
from phems.serve.notifying import Notifying
from phems.serve.wakeup import woken_by_signals

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from phems.gateway.http_protocol import OpenConnections
    from phems.gateway.live_changes import LiveChanges
    from phems.gateway.server import GatewayServer
    from phems.services.audit_anchors import Anchoring

_LOG = logging.getLogger("phems.serve")
STATUS_SECONDS = 1.0
PUBLISH_AGAIN_SECONDS = 30.0
KEPT_RUNS = 1000
WATCH_SECONDS = 15.0
WATCH_SECONDS_BEHIND = 0.2


class ServingNode:
    """One running node. `start`, then `stop`; or `run`, which stops when a signal comes."""

    def __init__(self, folder: Path, *, port: int | None = None, with_gateway: bool = True) -> None:
        self.spec = load_node(folder)
        self.paths = node_paths(self.spec, folder)
        self.port = self.spec.gateway.port if port is None else port
        self._with_gateway = with_gateway
        self.control: ControlPlane
        self.node: Node
        self._code: ServedCode
        self._warnings: list[str] = []
        self._late = _LateApp()
        self._parts: dict[str, Living] = {}
        self._connections: OpenConnections
        self._live: LiveChanges | None = None
        self._notifying: Notifying | None = None
        self._traces: Traces | None = None
        self._lineage: LineageLooking | None = None
        self._looking: list[Looking] = []
        self._projects_of_runs: dict[str, str] = {}
        self._stack = ExitStack()
        self._stopping = threading.Event()
        self._publish = threading.Event()
        if self.spec.profile != "embedded":
            # Several processes of the node may run on this machine, each with sockets of its own.
            self.paths = replace(self.paths, runtime_dir=self.paths.runtime_dir / f"c{os.getpid()}")

    def start(self, told: Callable[[str], None] = lambda _line: None) -> None:
        """Start every part, in order; on an error what was started is stopped again."""
        try:
            self._start(told)
        except BaseException:
            self.stop()
            raise

    def run(self, told: Callable[[str], None]) -> None:
        """Start, tell what happens line by line, and serve until SIGINT or SIGTERM."""
        is_serving = is_ended = False

        def end(_number: int, _frame: FrameType | None) -> None:
            nonlocal is_ended
            is_ended = True
            self._stopping.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        woken = woken_by_signals()
        try:
            self.start(told)
            if (log := node_log()) is not None:
                log.redaction.know(keys_in(self.paths.keys))  # those that were made just now, too
            is_serving = True
            told(f"Serving on {self.url}")
            while not self._stopping.is_set():
                woken.recv(1)
            told("Stopping ...")
        except Exception:
            if is_ended and not is_serving:  # a terminal tells what was just started to end, too
                raise KeyboardInterrupt from None
            raise
        finally:
            self.stop()

    @property
    def url(self) -> str:
        """Where the gateway listens."""
        gateway = self.spec.gateway
        host = f"[{gateway.host}]" if ":" in gateway.host.strip("[]") else gateway.host
        return gateway.public_url or f"{'https' if gateway.tls else 'http'}://{host}:{self.port}"

    def _go_on(self) -> None:
        """Between two parts of a start, which is broken off when a signal has come meanwhile.

        The signal itself raises nothing: among imports that would leave Python's import lock taken, and each
        thread that imports would wait for it for ever (seen, in one start of some thousands).
        """
        if self._stopping.is_set():
            raise KeyboardInterrupt

    def _go_on_to(self, part: str, told: Callable[[str], None]) -> None:
        self._go_on()
        told(f"Starting {part} ...")

    def stop(self) -> None:
        """Stop what runs, in the reverse order. Idempotent."""
        self._stopping.set()
        self._publish.set()
        self._stack.close()

    def _start(self, told: Callable[[str], None]) -> None:
        stack, paths = self._stack, self.paths
        for private in (paths.data_dir, paths.logs, paths.data_dir / "artifacts"):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.spec.profile == "embedded":
            stack.enter_context(NodeLock(paths.lock))
        gateway = self._bind_gateway() if self._with_gateway else None
        allow_many()
        self._own_runtime_dir()
        launcher = choose_launcher(self.spec, self.paths)
        check_mlflow(self.spec)
        self._go_on_to("Postgres", told)
        self.node = stack.enter_context(started_node(self.spec, paths))
        stack.callback(self.node.mlflow.close)
        self._go_on_to("the control plane", told)
        self._traces = traces_of(self.spec, "control")
        if self._traces is not None:
            stack.callback(self._traces.close)
        leading: Leading = AlwaysLeading()
        if self.spec.profile != "embedded":
            from phems.serve.turns import LeadingInTurn

            leading = in_turn = LeadingInTurn(self.node, stack)
            self.control = build_control_plane(
                self.node, launcher, stack, steps=in_turn.steps, leader=in_turn.leader, traces=self._traces
            )
        else:
            self.control = build_control_plane(self.node, launcher, stack, traces=self._traces)
        self._go_on()
        record = Record(self.node)
        self._code = ServedCode(self.node, self.control, record)
        stack.callback(record.lifecycle, "node.stop")
        record.lifecycle("node.start", sandbox=launcher.describe())
        listener = Notifications(
            self.node.database.url("dagster"),
            {
                EVENT_CHANNEL: self._event_written,
                CHANGED_CHANNEL: self._tell_changed,
                CODE_CHANNEL: self._follow_code,
                POLICY_CHANNEL: lambda _scope: self._follow_policies(),
                RELEASE_CHANNEL: lambda _payload: self._publish.set(),
                **leading.listeners(self.control),
            },
            on_reconnect=lambda: self._catch_up(leading),
        )
        stack.callback(listener.close)
        self._parts["notifications"] = listener
        self.control.start(self._code.runnable())
        self._go_on()
        leading.begin(self.control, stack, lambda: self._begin_to_lead(told))
        self._warnings = [waiting.as_text() for waiting in self.node.waiting]
        for warning in self._warnings:
            told(f"Warning: {warning}")
        self._start_notifying()
        self._start_lineage()
        self._parts["publisher"] = self._start_thread(self._publish_approved, "phems-publisher")
        if gateway is not None:
            self._go_on_to("the gateway", told)
            self._start_gateway(gateway)
        # Not waited for at the end: a large file takes longer than anyone waits for a stop.
        threading.Thread(target=self._hash_data, name="phems-data-versions", daemon=True).start()
        self._start_thread(self._write_status, "phems-status")
        self._start_thread(self._watch_audit_log, "phems-audit-watch")
        meter = meter_of(self.node, self.control.hosts.status, self.control.counted)
        self._start_thread(partial(meter.run, self._stopping), "phems-cpu-meter")
        if self.node.anchoring is not None:
            self._start_thread(partial(self._anchor, self.node.anchoring), "phems-anchors")

    def _start_notifying(self) -> None:
        notifier = notifier_of(self.node, self.url)
        if notifier is not None:
            self._notifying = Notifying(notifier, lambda: self.control.is_leading, self._stopping)
            self._start_looking(self._notifying, "phems-notifier")

    def _start_lineage(self) -> None:
        keeper = lineage_keeper_of(self.node)
        self._lineage = LineageLooking(keeper, lambda: self.control.is_leading, self._stopping)
        self._start_looking(self._lineage, "phems-lineage")

    def _start_looking(self, looking: Looking, name: str) -> None:
        self._looking.append(looking)
        self._start_thread(looking.run, name)
        self._stack.callback(looking.wake)
        self._stack.callback(self._stopping.set)

    def _begin_to_lead(self, told: Callable[[str], None]) -> None:
        if self.spec.profile != "embedded":
            told("This process drives the runs")
        for looking in self._looking:
            looking.wake()
        self._publish.set()

    def _own_runtime_dir(self) -> None:
        folder = self.paths.runtime_dir
        if self.spec.profile != "embedded":
            ensure_runtime_dir(folder.parent)
            self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        ensure_runtime_dir(folder)

    def _start_thread(self, work: Callable[[], None], name: str) -> threading.Thread:
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(self._publish.set)
        self._stack.callback(self._stopping.set)
        return thread

    def _bind_gateway(self) -> GatewayServer:
        """Take the port before anything slow is started: one that is in use is told at once."""
        from phems.adapters.tls_files import TlsFiles
        from phems.gateway.http_protocol import connections_of
        from phems.gateway.server import GatewayServer

        asked = self.spec.gateway
        files = None
        if asked.tls is not None:
            files = TlsFiles(self.paths.resolve(asked.tls.certificate), self.paths.resolve(asked.tls.key))
        self._connections = connections_of(asked.connections, asked.trusted_proxies)
        gateway = GatewayServer(self._late, asked.host, self.port, tls=files, connections=self._connections)
        gateway.bind()
        self._stack.callback(gateway.stop)
        return gateway

    def _start_gateway(self, gateway: GatewayServer) -> None:
        # Dagster's web server is the heaviest import of all: late, and here alone.
        from phems.gateway.app import create_app
        from phems.gateway.live_changes import LiveChanges
        from phems.gateway.settings import settings_of

        settings = settings_of(self.spec, lambda: self.node.spec, self.node.roles_in)
        self._live = live = LiveChanges(settings.membership)
        self._stack.callback(live.close)
        # Not waited for at the end, either: a fetch from a slow server.
        threading.Thread(target=self.node.code_webhooks.work, name="phems-webhooks", daemon=True).start()
        self._stack.callback(self.node.code_webhooks.close)
        self._late.app = create_app(
            self.control.workspace,
            self.node.users,
            settings=settings,
            cases=self.node,
            live=live,
            watch=NodeWatch(self.node, self.control, self._parts),
            connections=self._connections,
            traces=self._traces,
            mlflow=self.node.mlflow,
        )
        gateway.start()

    def _event_written(self, payload: str) -> None:
        self.control.event_written(payload)
        if self._lineage is not None:
            self._lineage.wake()
        if self._live is not None and self._live.has_listeners:
            project = self._project_of(payload.rpartition("_")[0])
            if project is not None:
                self._live.tell(Changed("run", project, "run.list"))

    def _project_of(self, run_id: str) -> str | None:
        """By the stamp on a run, which is looked up once: a run writes thousands of events."""
        if run_id not in self._projects_of_runs:
            run = self.control.instance.get_run_by_id(run_id)
            project = run.tags.get(PROJECT_TAG) if run else None
            if project is None:
                return None
            if len(self._projects_of_runs) >= KEPT_RUNS:
                self._projects_of_runs.clear()
            self._projects_of_runs[run_id] = project
        return self._projects_of_runs[run_id]

    def _tell_changed(self, payload: str) -> None:
        if self._notifying is not None:
            self._notifying.changed(payload)
        if self._live is not None:
            self._live.told(payload)

    def _follow_code(self, project: str) -> None:
        if project in self.spec.projects:
            self._code.follow(project)

    def _follow_policies(self) -> None:
        """Other rules may be in force, or wait: go by them; a host gets the data that it is granted now."""
        before = self.node.spec
        self.node.follow_policies()
        self._warnings = [waiting.as_text() for waiting in self.node.policies.waiting()]
        lessened = granted_less(before, self.node.spec)
        for project in granted_anew(before, self.node.spec):
            if project in lessened:  # not even a sensor reads on until the next host is there
                self.control.hosts.deactivate(project)
            self._follow_code(project)

    def _hash_data(self) -> None:
        """Know what each data source holds before the first run wants it."""
        for source in self.node.spec.data_sources.values():
            with contextlib.suppress(PhemsError):  # told to the run that wants it
                if source.version is None and not self._stopping.is_set():
                    self.node.data_versions.of(self.paths.resolve(source.path))

    def _catch_up(self, leading: Leading) -> None:
        """After a gap in the notifications: look at everything once."""
        self._follow_policies()
        for project in self.spec.projects:
            self._follow_code(project)
        self._publish.set()
        for run in unfinished_runs(self.control.instance):
            self.control.orchestrator.events_written(run.run_id)
        leading.catch_up(self.control)

    def _publish_approved(self) -> None:
        while True:
            self._publish.clear()
            failed = True
            try:
                failed = self.control.is_leading and any(
                    publication.error for publication in self.node.publisher.publish_approved()
                )
            except Exception:  # noqa: BLE001 (logged, and tried again)
                _LOG.exception("publishing failed; it is tried again")
            if self._stopping.is_set():
                return
            if self._lineage is not None:
                self._lineage.wake()
            self._publish.wait(PUBLISH_AGAIN_SECONDS if failed else None)

    def _anchor(self, anchoring: Anchoring) -> None:
        """Hand the audit log's checkpoints to the outside anchors, at once and then in their time."""
        due_only = False
        while True:
            try:
                if self.control.is_leading:
                    anchoring.submit(due_only=due_only)
            except Exception:  # noqa: BLE001 (logged, and tried again; what follows, the anchors' gate decides)
                _LOG.exception("the outside anchors could not be seen to; it is tried again")
            due_only = True
            if self._stopping.wait(anchoring.every.total_seconds()):
                return

    def _watch_audit_log(self) -> None:
        """Verify what is new in the audit log, and again what is old: a part at a time, with rests."""
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = WATCH_SECONDS
            try:
                if self.node.audit_watch.look().is_behind:
                    pause = WATCH_SECONDS_BEHIND
            except PhemsError:
                continue  # the database is away: later
            except Exception:  # noqa: BLE001 (logged, and tried again)
                _LOG.exception("the audit log could not be looked at; it is tried again")

    def _all_warnings(self) -> list[str]:
        failing = self._lineage.keeper.warnings() if self._lineage is not None else []
        return [*self._warnings, *failing]

    def _write_status(self) -> None:
        status = StatusFile(self.paths.status)
        while not self._stopping.wait(STATUS_SECONDS):
            if not self.control.is_leading:
                continue  # who leads tells of the whole node
            with contextlib.suppress(OSError, SQLAlchemyError):
                roles = control_roles(self.control, without=() if self._with_gateway else ("gateway",))
                status.write(self.control, self.url, self._all_warnings(), roles)
        status.remove()


class _LateApp:
    """Stands in the gateway for the application, which is made after the port is taken."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
