"""The jobs that both sides run, unchanged: nothing in here knows where it runs.

The jobs name no executor. Stock Dagster takes the one that the run config names; the node has its own
way to run a step and leaves that part of the run config aside.
"""

import os
import time
from collections.abc import Iterator

from dagster import AssetObservation, Definitions, DynamicOut, DynamicOutput, OpExecutionContext, job, op


@op
def nothing() -> None:
    """The smallest op there is: what a run costs beside its work."""


@job
def one_op() -> None:
    """One op, no work."""
    nothing()


@op(out=DynamicOut(int), config_schema={"width": int})
def spread(context: OpExecutionContext) -> Iterator[DynamicOutput[int]]:
    """As many numbers as the run config says."""
    for number in range(context.op_config["width"]):
        yield DynamicOutput(number, mapping_key=f"n{number}")


@op
def square(number: int) -> int:
    """A branch of the fan-out."""
    return number * number


@op
def total(squares: list[int]) -> int:
    """The end of the fan-out: every branch has arrived."""
    return sum(squares)


@job
def fanout() -> None:
    """Dynamic fan-out and collect: one step per branch, and two more."""
    total(spread().map(square).collect())


@op
def first() -> int:
    """The beginning of the chain."""
    return 0


@op
def next_one(number: int) -> int:
    """A link of the chain."""
    return number + 1


@job
def chain() -> None:
    """Twenty ops, each waiting for the one before."""
    number = first()
    for _ in range(19):
        number = next_one(number)


@op
def talk(context: OpExecutionContext) -> None:
    """A thousand events of one step."""
    for number in range(1000):
        context.log_event(AssetObservation("bench", metadata={"number": number}))


@job
def talking() -> None:
    """One op that says much."""
    talk()


@op
def large() -> bytes:
    """200 MB that do not compress."""
    return os.urandom(200 * 1000 * 1000)


@op
def measure(value: bytes) -> int:
    """Whoever reads them."""
    return len(value)


@job
def artifact() -> None:
    """A large value from one op to the next, through the IO manager."""
    measure(large())


@op
def stay() -> None:
    """Takes an hour: what waits behind it waits."""
    time.sleep(3600)


@job
def staying() -> None:
    """A run that stays in progress."""
    stay()


JOBS = [one_op, fanout, chain, talking, artifact, staying]
defs = Definitions(jobs=JOBS)
