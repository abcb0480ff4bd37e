"""What goes wrong: failures, retries, hooks, resources that do not come up."""

from collections.abc import Iterator

import dagster as dg

from phems.project import ProjectIOManager
from shapes.dataflow import add_one, both, one, parts, total


@dg.op
def fails(x: int) -> int:
    raise ValueError(f"no good: {x}")


@dg.job
def failure_propagates() -> None:
    start = one()
    both(fails(start), add_one(start))
    add_one.alias("goes_on")(add_one.alias("other_arm")(start))


@dg.op
def fails_on_one(x: int) -> int:
    if x == 1:
        raise ValueError("one is no good")
    return x


@dg.job
def dynamic_failure() -> None:
    total(parts().map(fails_on_one).collect())


@dg.op(out=dg.DynamicOut(int), retry_policy=dg.RetryPolicy(max_retries=1))
def parts_at_second_try(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[int]]:
    yield dg.DynamicOutput(1, mapping_key="first")
    if context.retry_number == 0:
        raise ValueError("not yet")
    yield dg.DynamicOutput(2, mapping_key="second")


@dg.job
def dynamic_retry() -> None:
    total(parts_at_second_try().map(add_one).collect())


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2, delay=0.05, backoff=dg.Backoff.EXPONENTIAL))
def works_at_third_try(context: dg.OpExecutionContext) -> int:
    if context.retry_number < 2:
        raise ValueError("not yet")
    return 1


@dg.job
def retry_policy() -> None:
    add_one(works_at_third_try())


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def never_works() -> int:
    raise ValueError("never")


@dg.job
def retry_exhausted() -> None:
    add_one(never_works())


@dg.op
def asks_again(context: dg.OpExecutionContext) -> int:
    if context.retry_number == 0:
        raise dg.RetryRequested(max_retries=1, seconds_to_wait=0.001)
    return 1


@dg.job
def retry_requested() -> None:
    add_one(asks_again())


@dg.op(retry_policy=dg.RetryPolicy(max_retries=3))
def gives_up() -> int:
    raise dg.Failure("it is of no use", metadata={"tries": 1}, allow_retries=False)


@dg.job
def failure_without_retries() -> None:
    add_one(gives_up())


@dg.op
def lies() -> int:
    return "not a number"  # type: ignore[return-value]


@dg.job
def wrong_type() -> None:
    add_one(lies())


@dg.op(out={"a": dg.Out(int), "b": dg.Out(int)})
def forgets_an_output() -> Iterator[dg.Output[int]]:
    yield dg.Output(1, "a")


@dg.job
def missing_output() -> None:
    a, _b = forgets_an_output()
    add_one(a)


@dg.success_hook
def when_good(_context: dg.HookContext) -> None:
    """Nothing to do."""


@dg.failure_hook
def when_bad(_context: dg.HookContext) -> None:
    """Nothing to do."""


@dg.failure_hook
def hook_fails(_context: dg.HookContext) -> None:
    raise ValueError("the hook itself")


@dg.job(hooks={when_good, when_bad, hook_fails})
def hooks() -> None:
    fails(one())


class Greeting(dg.ConfigurableResource):
    """A resource with configuration."""

    word: str = "hello"


@dg.op
def greets(context: dg.OpExecutionContext, greeting: Greeting) -> str:
    context.log.info(greeting.word)
    return greeting.word


@dg.resource
def with_teardown(_context: dg.InitResourceContext) -> Iterator[str]:
    yield "up"


@dg.op(required_resource_keys={"with_teardown"})
def uses_teardown(context: dg.OpExecutionContext, word: str) -> None:
    assert context.resources.with_teardown == "up"
    assert word == "good day"


@dg.job(
    resource_defs={
        "greeting": Greeting(word="good day"),
        "with_teardown": with_teardown,
        "io_manager": ProjectIOManager(),
    }
)
def resources() -> None:
    uses_teardown(greets())


@dg.resource
def does_not_come_up(_context: dg.InitResourceContext) -> None:
    raise RuntimeError("the resource is out of order")


@dg.op(required_resource_keys={"does_not_come_up"})
def needs_it(x: int) -> int:
    return x


@dg.op(required_resource_keys={"does_not_come_up"}, retry_policy=dg.RetryPolicy(max_retries=1))
def needs_it_twice(x: int) -> int:
    return x


_BROKEN = {"does_not_come_up": does_not_come_up, "io_manager": ProjectIOManager()}


@dg.job(resource_defs=_BROKEN)
def resource_fails() -> None:
    add_one(needs_it(one()))


@dg.job(resource_defs=_BROKEN)
def resource_fails_again() -> None:
    add_one(needs_it_twice(one()))


jobs = [
    failure_propagates,
    dynamic_failure,
    dynamic_retry,
    retry_policy,
    retry_exhausted,
    retry_requested,
    failure_without_retries,
    wrong_type,
    missing_output,
    hooks,
    resources,
    resource_fails,
    resource_fails_again,
]
