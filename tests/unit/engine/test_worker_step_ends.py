"""A step's end is told, whatever cannot be found out beside it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from phems.contract.step_order import ResourceLimits
from phems.engine.attempts import Attempts
from phems.engine.capabilities import CapabilityAuthority
from phems.engine.host_connection import StepEnd, StepProcess
from phems.engine.hosts import HostState
from phems.engine.step_queue import StepTask
from phems.engine.worker import Worker, WorkerParts
from phems.errors import NotFoundError

TASK = StepTask("heart", "d", "run", "step", 1)
LIMITS = ResourceLimits(memory=1 << 32, cpu_seconds=60, processes=100, file_size=1 << 30)


class GoneProject:
    """Data of a project that leaves node.yaml while its step runs."""

    def shown(self, _project: str) -> dict[str, Any]:
        return {}

    def is_as_admitted(self, _task: StepTask, _shown: object) -> bool:
        return True

    def changed_since(self, project: str, _before: object) -> list[str]:
        raise NotFoundError(f"There is no project {project}.")


def test_a_step_ends_although_nobody_knows_its_data_any_more(tmp_path: Path) -> None:
    """Otherwise its run would wait for that end for ever."""
    started: list[StepProcess] = []
    host = SimpleNamespace(
        state=HostState.READY, connection=SimpleNamespace(start_step=started.append), error=""
    )
    parts = WorkerParts(
        hosts=SimpleNamespace(ensure=lambda *_: host, step_ended=lambda _end: None),  # type: ignore[arg-type]
        data=GoneProject(),  # type: ignore[arg-type]
        authority=CapabilityAuthority(),
        attempts=Attempts(),
        limits=lambda _project: LIMITS,
        log_folder=tmp_path,
        tell=lambda _task, _what: None,
    )
    worker, ends = Worker(parts), list[StepEnd]()
    worker.expect(TASK, "{}", "{}")
    assert worker.start(TASK, ends.append)
    end = StepEnd("heart", "run", "step", 1, 0, is_lost=False)
    started[0].on_end(end)
    assert ends == [end]
