"""The jobs that both sides run, unchanged: nothing in here knows where it runs.

The jobs name no executor. Stock Dagster takes the one that the run config names; the node has its own
way to run a step and leaves that part of the run config aside.
"""

from collections.abc import Iterator

from dagster import Definitions, DynamicOut, DynamicOutput, OpExecutionContext, job, op


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


defs = Definitions(jobs=[one_op, fanout])
