"""The works in Prefect's words. Run as a program by Prefect's own Python, it deploys them to the pool.

Tasks of a flow run in threads of the flow's process, four at once: Prefect's own default way.
"""

import os
import sys
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.task_runners import ThreadPoolTaskRunner

FANOUT, CHAIN, EVENTS, ARTIFACT_MB = 100, 20, 1000, 200
POOL = "bench"
FOUR = ThreadPoolTaskRunner(max_workers=4)


@task
def nothing() -> None:
    """The smallest task there is."""


@flow
def one_op() -> None:
    """One task."""
    nothing()


@task
def square(number: int) -> int:
    """A branch of the fan-out."""
    return number * number


@task
def total(squares: list[int]) -> int:
    """The end of the fan-out."""
    return sum(squares)


@flow(task_runner=FOUR)
def fanout() -> int:
    """Every branch, and then their sum."""
    return total.submit(square.map(range(FANOUT))).result()


@task
def next_one(number: int) -> int:
    """A link of the chain."""
    return number + 1


@flow
def chain() -> int:
    """Twenty tasks, each waiting for the one before."""
    number = 0
    for _ in range(CHAIN):
        number = next_one(number)
    return number


@task
def talk() -> None:
    """A thousand log records of one task."""
    logger = get_run_logger()
    for number in range(EVENTS):
        logger.info("event %d", number)


@flow
def events() -> None:
    """One task that says much."""
    talk()


@task(persist_result=True, cache_result_in_memory=False)
def large() -> bytes:
    """200 MB that do not compress, kept in the result store."""
    return os.urandom(ARTIFACT_MB * 1000 * 1000)


@task
def measure(value: bytes) -> int:
    """Whoever reads them."""
    return len(value)


@flow
def artifact() -> int:
    """A large value from one task to the next, through the result store."""
    state = large(return_state=True)
    return measure(state.result())


FLOWS = [one_op, fanout, chain, events, artifact]

if __name__ == "__main__":
    here = Path(__file__).parent
    for each in FLOWS:
        source = each.from_source(source=str(here), entrypoint=f"{Path(__file__).name}:{each.fn.__name__}")
        source.deploy(name="bench", work_pool_name=POOL, print_next_steps=False, ignore_warnings=True)
    sys.exit(0)
