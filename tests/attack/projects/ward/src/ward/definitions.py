"""The victim: patients, an asset of them, outputs that nobody has released, and a job that takes its time."""

import time
from pathlib import Path

import dagster as dg

from phems.project import DataSource, outputs


@dg.asset(key_prefix="ward")
def patients(context: dg.AssetExecutionContext, source: DataSource) -> None:
    """Counts the patients and writes an output that only the ward may see."""
    rows = Path(source.path()).read_text()
    outputs.write_text(context, "patients.txt", rows)


@dg.op
def count() -> int:
    """Something to be done."""
    return 1


@dg.job
def count_job() -> None:
    """A job like any other."""
    count()


@dg.op
def before() -> None:
    """What is done when the waiting begins."""


@dg.op(ins={"start": dg.In(dg.Nothing)})
def wait_for_go(context: dg.OpExecutionContext) -> None:
    """Runs until the test says go: by a file in the artifact area."""
    while not Path("/artifacts/go").exists():
        time.sleep(0.02)
    context.log.info("gone")


@dg.op(ins={"start": dg.In(dg.Nothing)})
def after() -> None:
    """What comes after it."""


@dg.job
def waiting_job() -> None:
    """Three steps, the second of which waits."""
    after(wait_for_go(before()))


defs = dg.Definitions(
    assets=[patients], jobs=[count_job, waiting_job], resources={"source": DataSource(source="patients")}
)
