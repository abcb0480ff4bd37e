"""What is compared: the sides, what each has switched on, and which work each does.

Stock Dagster gets every way to run that a single machine offers. What a configuration does not do is
left out for a reason that stands in its note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Work = Literal["one_op", "fanout_100", "runs_50", "memory", "cold_start", "gateway"]
WORKS: tuple[Work, ...] = ("one_op", "fanout_100", "runs_50", "memory", "cold_start", "gateway")
SideName = Literal["ours", "stock"]


@dataclass(frozen=True)
class Configuration:
    """One row of the comparison."""

    key: str
    side: SideName
    title: str
    switched_on: str
    works: tuple[Work, ...]
    queue: str = ""
    execution: Mapping[str, Any] | None = None
    """The `execution` part of the run config: which of stock Dagster's executors runs the job."""
    fanout_widths: tuple[int, ...] = (100,)
    """The widths measured; 100 is drawn from them when it is not among them."""
    fanout_rounds: int | None = None
    """How often the fan-out is run, where that is not the effort's number."""
    note: str = ""


NODE = "node"
IN_PROCESS = "stock_in_process"
QUEUE = "stock_in_process_queue"
MULTIPROCESS = "stock_multiprocess"

CONFIGURATIONS: tuple[Configuration, ...] = (
    Configuration(
        key=NODE,
        side="ours",
        title="PHEMS node",
        switched_on="sign-in, run queue, admission, audit log, approved code, sandbox, "
        "a process per step (branches of a fan-out may share one)",
        works=("one_op", "fanout_100", "runs_50"),
    ),
    Configuration(
        key=IN_PROCESS,
        side="stock",
        title="stock, in-process executor, no queue",
        switched_on="DefaultRunCoordinator, DefaultRunLauncher, a process per run",
        works=("one_op", "fanout_100", "runs_50"),
        queue="none",
        execution={"in_process": {}},
    ),
    Configuration(
        key=MULTIPROCESS,
        side="stock",
        title="stock, multiprocess executor, no queue",
        switched_on="DefaultRunCoordinator, DefaultRunLauncher, a process per run and per step",
        works=("one_op", "fanout_100"),
        queue="none",
        execution={"multiprocess": {}},
        fanout_rounds=1,  # minutes each
        note="50 runs are left out: slower than in process by as much as one run is",
    ),
    Configuration(
        key=QUEUE,
        side="stock",
        title="stock, in-process executor, default queue",
        switched_on="QueuedRunCoordinator and daemon as they come, DefaultRunLauncher, a process per run",
        works=("one_op", "runs_50"),
        queue="default",
        execution={"in_process": {}},
        note="the fan-out is left out: within a run the queue plays no part",
    ),
)


@dataclass(frozen=True)
class Effort:
    """How often each work is done."""

    warm_ups: int
    one_op: int
    fanout: int
    rounds_of_runs: Mapping[SideName, int]
    runs: int
    cold_starts: int
    rest_seconds: float
    crowd_rounds: int
    """In how many rounds a crowd asks the web servers; each person `crowd_asks` times in each."""
    crowd_asks: int


FULL = Effort(
    warm_ups=2,
    one_op=7,
    fanout=3,
    rounds_of_runs={"ours": 3, "stock": 1},
    runs=50,
    cold_starts=5,
    rest_seconds=20.0,
    crowd_rounds=4,
    crowd_asks=4,
)
QUICK = Effort(
    warm_ups=1,
    one_op=3,
    fanout=1,
    rounds_of_runs={"ours": 1, "stock": 1},
    runs=10,
    cold_starts=2,
    rest_seconds=5.0,
    crowd_rounds=1,
    crowd_asks=2,
)
