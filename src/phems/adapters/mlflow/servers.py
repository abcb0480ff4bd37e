"""The MLflow servers of this process: each started when its project's is first asked for, ended when idle."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from phems.adapters.mlflow.process import ServerPlan, ServerProcess
from phems.errors import NotFoundError, PhemsError, UnavailableError

START_SECONDS = 120.0  # its tables are made, or brought up to date, at a start
LOOK_SECONDS = 0.05
IDLE_SECONDS = 900.0
_LOG = logging.getLogger("phems.mlflow")


class OpenGrounds(Protocol):
    """Makes what a server stands on, for the time of a block: its folders, its schema, its way there."""

    def __call__(self, project: str) -> AbstractContextManager[ServerPlan]:
        """The plan of a project's server."""
        ...


class MlflowServers:
    """At most one server of each project; `is_on` says which projects have one."""

    def __init__(
        self, is_on: Callable[[str], bool], grounds: OpenGrounds, *, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._is_on = is_on
        self._grounds = grounds
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._tenures: dict[str, _Tenure] = {}
        self._closed = False

    def has(self, project: str) -> bool:
        """Whether a project has MLflow."""
        return self._is_on(project)

    @contextmanager
    def in_use(self, project: str) -> Iterator[Path]:
        """The socket of a project's server, which is kept running for the time of the block."""
        tenure = self.enter(project)
        try:
            yield tenure.socket
        finally:
            tenure.leave()

    def enter(self, project: str) -> _Tenure:
        """A server that answers, started if need be; `leave` it in the end."""
        if not self.has(project):
            raise NotFoundError(
                f"The project {project} has no MLflow.",
                why="it is switched on for each project by itself.",
                remedy=f"projects.{project}.mlflow: true in node.yaml",
            )
        while True:
            with self._lock:
                if self._closed:
                    raise UnavailableError("The node stops.")
                tenure = self._tenures.get(project)
                if tenure is None or tenure.is_over:
                    tenure = self._tenures[project] = _Tenure(project, self._grounds, self._idle_seconds)
                    tenure.start()
            if tenure.enter():
                return tenure

    def running(self) -> list[str]:
        """The projects whose servers run."""
        with self._lock:
            return sorted(project for project, tenure in self._tenures.items() if not tenure.is_over)

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            self._closed = True
            tenures = list(self._tenures.values())
        for tenure in tenures:
            tenure.end()


class _Tenure(threading.Thread):
    """The life of one server process, in the thread that started it."""

    def __init__(self, project: str, grounds: OpenGrounds, idle_seconds: float) -> None:
        super().__init__(name=f"phems-mlflow-{project}", daemon=True)
        self.socket: Path
        self._project = project
        self._grounds = grounds
        self._idle_seconds = idle_seconds
        self._changed = threading.Condition()
        self._users = 0
        self._last_use = time.monotonic()
        self._answers = False
        self._ending = False
        self._failure: PhemsError | None = None

    @property
    def is_over(self) -> bool:
        """Whether it takes nobody in any more."""
        return self._ending

    def enter(self) -> bool:
        """Wait until it answers; False when it ended meanwhile, raises what its start failed with."""
        with self._changed:
            self._users += 1
            self._changed.wait_for(lambda: self._answers or self._ending)
            if self._ending:
                self._users -= 1
                if self._failure is not None:
                    raise self._failure
                return False
        return True

    def leave(self) -> None:
        """Be done with it."""
        with self._changed:
            self._users -= 1
            self._last_use = time.monotonic()

    def end(self) -> None:
        """End it, whoever uses it; returns when it is gone."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self.join()

    def run(self) -> None:
        """Start the process, keep it while it is used, end it."""
        try:
            with self._grounds(self._project) as plan:
                process = ServerProcess(plan)
                try:
                    self._await_answer(process)
                    self.socket = plan.socket
                    with self._changed:
                        self._answers = True
                        self._changed.notify_all()
                    self._keep(process)
                finally:
                    process.end()
        except PhemsError as error:
            self._failure = error
        except Exception as error:  # noqa: BLE001 (told to who waits for it)
            _LOG.exception("the MLflow server of project %s could not be started", self._project)
            self._failure = UnavailableError(
                f"The MLflow server of project {self._project} could not be started.", why=repr(error)
            )
        finally:
            with self._changed:
                self._ending = True
                self._changed.notify_all()

    def _await_answer(self, process: ServerProcess) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not process.answers():
            ended = process.wait(LOOK_SECONDS)
            if ended or time.monotonic() > deadline or self._ending:
                raise UnavailableError(
                    f"The MLflow server of project {self._project} did not start.",
                    why=process.last_words() if ended else "it took too long, or the node stops.",
                    remedy=f"Read its log: logs/mlflow/{self._project}.log in the node's data_dir.",
                )

    def _keep(self, process: ServerProcess) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ending, timeout=1.0)
                idle = self._users == 0 and time.monotonic() - self._last_use > self._idle_seconds
                ended = process.wait(0)
                if self._ending or idle or ended:
                    self._ending = True
                    break
        if ended:
            _LOG.error("the MLflow server of project %s ended: %s", self._project, process.last_words())
