"""Project hosts: one per project and code revision, started, watched, restarted, retired.

A host is used when it has loaded; when it dies it is started again after a pause that doubles; a new
approved revision gets a new host, and the old one ends when its last step has ended. So does a host whose
sandbox shows other data than a new one would: it begins no step any more. What happens to one project's host
touches no other project.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from phems.contract.capability import Capability
from phems.engine.capabilities import LOCATION_SECONDS, CapabilityAuthority
from phems.engine.host_connection import HostConnection, StepEnd
from phems.engine.run_data import Shown
from phems.engine.sandbox import HostPlan, SandboxLauncher
from phems.errors import PhemsError

_LOG = logging.getLogger("phems.hosts")
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
STEADY_SECONDS = 60.0
LOAD_SECONDS = 120.0


class HostState(Enum):
    """Where a host is in its life."""

    LOADING = "LOADING"
    READY = "READY"
    FAILED = "FAILED"
    RESTARTING = "RESTARTING"
    ENDED = "ENDED"


@dataclass(frozen=True)
class HostStatus:
    """One host as people see it; `error` is text of project code and stays in the node."""

    project: str
    code_digest: str
    state: HostState
    is_current: bool
    pid: int | None
    restarts: int
    running_steps: int
    load_seconds: float | None
    error: str


class Host:
    """One project's code revision in one sandbox. Created by `HostPool`.

    `shown` is the data that its sandbox shows, as it was found before the sandbox was made.
    """

    def __init__(self, pool: HostPool, plan: HostPlan, shown: Shown) -> None:
        self.plan = plan
        self.shown = shown
        self.state = HostState.LOADING
        self.error = ""
        self.restarts = 0
        self.load_seconds: float | None = None
        self._deaths = 0  # in a row
        self._ready_at: float | None = None
        self._pool = pool
        self._connection: HostConnection | None = None
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def prepare(self) -> bool:
        """Have made what it needs on this machine; False, and the host has failed, when that cannot be."""
        try:
            self._pool.launcher.prepare(self.plan)
        except (PhemsError, OSError) as error:
            if self.state is not HostState.ENDED:
                self._fail(str(error))
            return False
        return True

    def start(self) -> None:
        """Start the process; runs in the pool's one spawning thread."""
        if self.state is HostState.ENDED:
            return
        self.state = HostState.LOADING
        try:
            self._write_capability()
            _clear(self.plan.host_dir)
            process = self._pool.launcher.start(self.plan)
        except (PhemsError, OSError) as error:
            self._fail(str(error))
            return
        connection = HostConnection(process, self._loaded, self._fail, self._gone)
        with self._lock:
            self._connection = connection
            self._arm(LOAD_SECONDS, lambda: self._overdue(connection))
        connection.listen()

    @property
    def connection(self) -> HostConnection | None:
        """The live connection, when the host is ready."""
        return self._connection if self.state is HostState.READY else None

    def running_steps(self) -> int:
        """How many steps run in it now."""
        connection = self._connection
        return connection.running_steps() if connection else 0

    def end(self) -> None:
        """End it and everything in it."""
        self.state = HostState.ENDED
        with self._lock:
            if self._timer:
                self._timer.cancel()
            connection, self._connection = self._connection, None
        if connection:
            connection.kill()

    def refresh_capability(self) -> None:
        """Put a fresh location capability where the host reads it."""
        self._write_capability()

    def status(self, *, is_current: bool) -> HostStatus:
        """The host as people see it."""
        connection = self._connection
        return HostStatus(
            project=self.plan.project,
            code_digest=self.plan.code_digest,
            state=self.state,
            is_current=is_current,
            pid=connection.pid if connection else None,
            restarts=self.restarts,
            running_steps=self.running_steps(),
            load_seconds=self.load_seconds,
            error=self.error,
        )

    def _loaded(self, seconds: float) -> None:
        with self._lock:
            if self._timer:
                self._timer.cancel()
        self.load_seconds = seconds
        self._ready_at = time.monotonic()
        self._pool.publish(self)  # before it is said to be ready: who reads that asks it there
        if self.state is HostState.LOADING:  # not failed at that, nor ended meanwhile
            self.state, self.error = HostState.READY, ""
            self._pool.changed(self)

    def publish_socket(self, target: Path) -> None:
        """Make this host's code server the one that the control plane finds at `target`."""
        # The folder of the socket is the project's to write: it could put a link to another project's
        # socket there. A hard link of the inode, made without following links, cannot be moved later.
        fresh = target.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        try:
            os.link(self.plan.host_dir / "grpc.sock", fresh, follow_symlinks=False)
            problem = "" if stat.S_ISSOCK(fresh.lstat().st_mode) else "it is not a socket"
        except OSError as error:
            problem = str(error)
        if problem:
            fresh.unlink(missing_ok=True)
            self._fail(f"The code server's socket cannot be used: {problem}")
            return
        fresh.rename(target)

    def _fail(self, error: str) -> None:
        """The definitions do not load: starting again would not help until new code is approved."""
        # The error is project code's own: `phems status` has it, the log of the node has not.
        _LOG.warning(
            "host of %s failed: its definitions do not load",
            self.plan.project,
            extra={"project": self.plan.project},
        )
        self.error = error
        self.end()
        self.state = HostState.FAILED
        self._pool.changed(self)

    def _overdue(self, connection: HostConnection) -> None:
        if self.state is HostState.LOADING and self._connection is connection:
            self._fail(f"The definitions did not load within {LOAD_SECONDS:.0f} s.")

    def _gone(self, reason: str) -> None:
        if self.state in {HostState.ENDED, HostState.FAILED}:
            return
        if reason:
            self.error = reason
        elif self.state is HostState.LOADING:
            self.error = "The host ended while it loaded the definitions, without a word. It is tried again."
        self.state = HostState.RESTARTING
        if self._ready_at is not None and time.monotonic() - self._ready_at >= STEADY_SECONDS:
            self._deaths = 0  # it did its work for a while: this death is no loop
        self._ready_at = None
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(self._deaths, 10), LONGEST_PAUSE_SECONDS)
        self._deaths += 1
        self.restarts += 1
        _LOG.warning(
            "host of %s died; starting it again in %.0f s",
            self.plan.project,
            pause,
            extra={"project": self.plan.project},
        )
        self._pool.changed(self)
        with self._lock:
            self._connection = None
            self._arm(pause, lambda: self._pool.start_again(self))

    def _arm(self, seconds: float, act: Callable[[], None]) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(seconds, act)
        self._timer.daemon = True
        self._timer.start()

    def _write_capability(self) -> None:
        authority = self._pool.authority
        capability = Capability(
            kind="location",
            project=self.plan.project,
            expires_at=authority.expiry(LOCATION_SECONDS),
            code_digest=self.plan.code_digest,
        )
        fresh = self.plan.capability_file.with_suffix(".new")
        fresh.write_text(authority.issue(capability))
        fresh.chmod(0o644)  # its folder is closed to others
        fresh.rename(self.plan.capability_file)


def _clear(folder: Path) -> None:
    """Empty the folder that an earlier host wrote to: whatever it left there, folders and links included."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


class HostPool:
    """All project hosts of this process.

    `plan_for(project, code_digest)` says what a host is to be; `on_change(project)` is called, from any
    thread, whenever a host's state changes; `shown(project)` is the data that a sandbox made now would show.
    """

    def __init__(
        self,
        launcher: SandboxLauncher,
        authority: CapabilityAuthority,
        plan_for: Callable[[str, str], HostPlan],
        sockets: Path,
        on_change: Callable[[str], None],
        shown: Callable[[str], Shown],
    ) -> None:
        self.launcher = launcher
        self.authority = authority
        self._plan_for = plan_for
        self._sockets = sockets
        self._on_change = on_change
        self._shown = shown
        self._hosts: dict[tuple[str, str], Host] = {}
        self._replaced: list[Host] = []
        self._current: dict[str, str] = {}
        self._lock = threading.RLock()
        # One thread starts every host: the kernel ends a sandbox when the thread that started it ends.
        self._spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="phems-spawn")
        self._closed = threading.Event()
        self._refresher = threading.Thread(target=self._refresh, name="phems-capabilities", daemon=True)
        self._refresher.start()

    def activate(self, project: str, code_digest: str) -> None:
        """Make a revision the project's current one; its host takes over when it has loaded."""
        with self._lock:
            self._current[project] = code_digest
            known = self._hosts.get((project, code_digest))
            if known is not None and known.state is HostState.FAILED:
                del self._hosts[project, code_digest]  # asked for anew: try anew
        host = self.ensure(project, code_digest)
        if host.state is HostState.READY:
            self.changed(host)

    def deactivate(self, project: str) -> None:
        """The project has no approved revision any more: its hosts end when idle."""
        with self._lock:
            self._current.pop(project, None)
        self.location_socket(project).unlink(missing_ok=True)
        self._retire_old(project)
        self._on_change(project)

    def ensure(self, project: str, code_digest: str, shown: Shown | None = None) -> Host:
        """The host of a revision that shows this data, that of now; started when there is none."""
        if shown is None:
            shown = self._shown(project)
        with self._lock:
            host = self._hosts.get((project, code_digest))
            if host is not None and host.state is not HostState.ENDED and host.shown != shown:
                self._replace(host)
                host = None
            if host is None or host.state is HostState.ENDED:
                host = Host(self, self._plan_for(project, code_digest), shown)
                self._hosts[project, code_digest] = host
                self.spawn(host)
            return host

    def renew(self, project: str) -> None:
        """Have the project's current host replaced if its data is not that of now: sensors read it, too."""
        if (host := self.current(project)) is not None:
            self.ensure(project, host.plan.code_digest)

    def start_again(self, host: Host) -> None:
        """Start a host that died, or, when it would show other data than before, one in its place."""
        key = (host.plan.project, host.plan.code_digest)
        if self._hosts.get(key) is host and self.ensure(*key) is host:
            self.spawn(host)
        else:
            host.end()

    def spawn(self, host: Host) -> None:
        """Start a host's process, in the spawning thread; what it needs first is made in one of its own."""
        if host.plan.requirements is not None:
            preparing = threading.Thread(
                target=self._prepare, args=(host,), name="phems-prepare", daemon=True
            )
            preparing.start()
        else:
            self._spawn(host)

    def _prepare(self, host: Host) -> None:
        if host.prepare():
            self._spawn(host)

    def _spawn(self, host: Host) -> None:
        with contextlib.suppress(RuntimeError):  # the pool is closing
            self._spawner.submit(host.start)

    def current(self, project: str) -> Host | None:
        """The host of the project's current revision."""
        with self._lock:
            digest = self._current.get(project)
            return self._hosts.get((project, digest)) if digest else None

    def is_older_serving(self, project: str) -> bool:
        """Whether the current host is still loading, and one before it answers until it has."""
        with self._lock:
            current = self.current(project)
            return (
                current is not None
                and current.state is HostState.LOADING
                and any(
                    host.plan.project == project and host.state is HostState.READY for host in self._all()
                )
            )

    def projects(self) -> list[str]:
        """Projects that have a current revision."""
        with self._lock:
            return sorted(self._current)

    def is_live(self, project: str, code_digest: str) -> bool:
        """Whether a host of this revision lives: its location capability is worth something."""
        host = self._hosts.get((project, code_digest))
        return host is not None and host.state in {HostState.LOADING, HostState.READY}

    def location_socket(self, project: str) -> Path:
        """Where the control plane finds the code server of a project's current revision."""
        return self._sockets / f"{project}.sock"

    def status(self) -> list[HostStatus]:
        """All hosts as people see them."""
        with self._lock:
            return [
                host.status(is_current=self.current(host.plan.project) is host)
                for host in sorted(self._all(), key=lambda each: (each.plan.project, each.plan.code_digest))
            ]

    def connections(self) -> list[HostConnection]:
        """The connections of all ready hosts, retiring ones too."""
        with self._lock:
            return [host.connection for host in self._all() if host.connection is not None]

    def changed(self, host: Host) -> None:
        """A host's state changed; see `on_change`."""
        if host.state is HostState.READY and self.current(host.plan.project) is host:
            self.publish(host)  # it may have become the current one after it had loaded
            self._retire_old(host.plan.project)
        self._on_change(host.plan.project)

    def publish(self, host: Host) -> None:
        """Have the control plane ask this host, when it is the project's current one."""
        if self.current(host.plan.project) is host:
            host.publish_socket(self.location_socket(host.plan.project))

    def step_ended(self, end: StepEnd) -> None:
        """A step ended: a retiring host may now be idle."""
        self._retire_old(end.project)

    def close(self) -> None:
        """End all hosts."""
        self._closed.set()
        with self._lock:
            hosts = self._all()
        for host in hosts:
            host.end()
        self._spawner.shutdown(wait=True)
        self._refresher.join()

    def _retire_old(self, project: str) -> None:
        with self._lock:
            current = self.current(project)
            if project in self._current and (current is None or current.state is not HostState.READY):
                return  # the old host serves until the new one can
            idle = [
                host
                for host in self._all()
                if host.plan.project == project
                and host is not current
                and host.state is not HostState.ENDED
                and host.running_steps() == 0
            ]
            self._hosts = {key: host for key, host in self._hosts.items() if host not in idle}
            self._replaced = [
                host for host in self._replaced if host not in idle and host.state is not HostState.ENDED
            ]
        for host in idle:
            host.end()

    def _replace(self, host: Host) -> None:
        """Have it begin no step; it serves until its successor can, and ends with its last step."""
        _LOG.info(
            "host of %s is replaced: its data is not what it shows",
            host.plan.project,
            extra={"project": host.plan.project},
        )
        if host.state is HostState.READY:
            self._replaced.append(host)
        else:
            host.end()

    def _all(self) -> list[Host]:
        return [*self._hosts.values(), *self._replaced]

    def _refresh(self) -> None:
        while not self._closed.wait(LOCATION_SECONDS / 3):
            with self._lock:
                hosts = self._all()
            for host in hosts:
                if host.state in {HostState.LOADING, HostState.READY}:
                    with contextlib.suppress(OSError):
                        host.refresh_capability()
