"""A project that may do little at once: for priorities and limits."""

import time
from pathlib import Path

import dagster as dg

from phems.contract.runtime import current_runtime
from phems.project import ProjectIOManager

LONGEST_WAIT = 60.0


def artifacts() -> Path:
    """The folder that the test sees too."""
    runtime = current_runtime()
    assert runtime is not None
    return runtime.artifact_dir


@dg.op
def blocks() -> None:
    deadline = time.monotonic() + LONGEST_WAIT
    while not (artifacts() / "go").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@dg.job
def blocking() -> None:
    blocks()


@dg.op
def quick() -> None:
    """Nothing."""


@dg.job
def by_step_priority() -> None:
    quick.alias("middling")()
    quick.tag({"dagster/priority": "-1"}).alias("low")()
    quick.tag({"dagster/priority": "9"}).alias("high")()


@dg.job
def quick_job() -> None:
    quick()


@dg.op
def burns() -> None:
    deadline = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < deadline:
        pass


@dg.job
def burning() -> None:
    burns()


defs = dg.Definitions(
    jobs=[blocking, by_step_priority, quick_job, burning], resources={"io_manager": ProjectIOManager()}
)
