"""The works in Airflow's words; read by its DAG processor."""

from airflow.sdk import DAG, task

FANOUT, CHAIN = 100, 20
UNBOUND = {"schedule": None, "max_active_tasks": 1000, "max_active_runs": 1000}


@task
def nothing() -> None:
    """The smallest task there is."""


@task
def square(number: int) -> int:
    """A branch of the fan-out."""
    return number * number


@task
def total(squares: list[int]) -> int:
    """The end of the fan-out."""
    return sum(squares)


@task
def next_one(number: int) -> int:
    """A link of the chain."""
    return number + 1


with DAG("one_op", **UNBOUND):
    nothing()

with DAG("fanout", **UNBOUND):
    total(square.expand(number=list(range(FANOUT))))

with DAG("chain", **UNBOUND):
    link = next_one(0)
    for _ in range(CHAIN - 1):
        link = next_one(link)
