"""Values between steps: dependencies, fan-in, dynamic outputs, skips, nested graphs."""

from collections.abc import Iterator

import dagster as dg


@dg.op
def one() -> int:
    return 1


@dg.op
def add_one(x: int) -> int:
    return x + 1


@dg.op
def double(x: int) -> int:
    return 2 * x


@dg.op
def total(context: dg.OpExecutionContext, xs: list[int]) -> int:
    context.log.info("total %s", sum(xs))
    return sum(xs)


@dg.op
def both(x: int, y: int) -> int:
    return x + y


@dg.job
def diamond() -> None:
    start = one()
    both(add_one(start), double.alias("other_arm")(start))


@dg.job
def fan_in() -> None:
    total([one.alias(f"one_{i}")() for i in range(3)])


@dg.op(out={"low": dg.Out(int), "high": dg.Out(int)})
def low_and_high() -> tuple[int, int]:
    return 1, 10


@dg.job
def several_outputs() -> None:
    low, high = low_and_high()
    both(low, high)


@dg.op(out=dg.DynamicOut(int))
def parts() -> Iterator[dg.DynamicOutput[int]]:
    for i in range(3):
        yield dg.DynamicOutput(i, mapping_key=f"part_{i}")


@dg.op(out=dg.DynamicOut(int))
def no_parts() -> Iterator[dg.DynamicOutput[int]]:
    yield from ()


@dg.job
def dynamic_collect() -> None:
    total(parts().map(add_one).map(double).collect())


@dg.job
def dynamic_zero() -> None:
    total(no_parts().map(add_one).collect())


@dg.job
def dynamic_without_collect() -> None:
    parts().map(add_one)


@dg.op(config_schema={"width": dg.Field(int, default_value=100)}, out=dg.DynamicOut(int))
def many_parts(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[int]]:
    for i in range(context.op_config["width"]):
        yield dg.DynamicOutput(i, mapping_key=f"part_{i}")


@dg.job
def wide() -> None:
    total(many_parts().map(add_one).collect())


@dg.op(out={"left": dg.Out(int, is_required=False), "right": dg.Out(int, is_required=False)})
def branch() -> Iterator[dg.Output[int]]:
    yield dg.Output(1, "left")


@dg.job
def optional_outputs() -> None:
    left, right = branch()
    add_one(add_one.alias("after_left")(left))
    double(double.alias("after_right")(right))


@dg.job
def skip_into_fan_in() -> None:
    left, right = branch()
    total([add_one(left), double(right)])


@dg.op(out=dg.Out(int, is_required=False))
def sometimes(x: int) -> Iterator[dg.Output[int]]:
    if x % 2:
        yield dg.Output(x)


@dg.job
def dynamic_with_skips() -> None:
    total(parts().map(sometimes).collect())


@dg.op(ins={"after": dg.In(dg.Nothing)})
def later() -> None:
    """Run after something that gives no value."""


@dg.op(out=dg.Out(dg.Nothing))
def earlier() -> None:
    """Give no value."""


@dg.job
def nothing_dependencies() -> None:
    later(after=[earlier(), earlier.alias("earlier_too")()])


@dg.graph
def inner(x: int) -> int:
    return double(add_one(x))


@dg.graph
def middle(x: int) -> int:
    return inner(inner.alias("inner_first")(x))


@dg.job
def nested_graphs() -> None:
    add_one.alias("at_the_end")(middle(one()))


@dg.op(config_schema={"factor": int})
def scaled(context: dg.OpExecutionContext, x: int) -> int:
    return x * int(context.op_config["factor"])


@dg.job(config={"ops": {"scaled": {"config": {"factor": 3}, "inputs": {"x": 2}}}})
def configured() -> None:
    add_one(scaled())


@dg.op
def speaks(context: dg.OpExecutionContext) -> Iterator[object]:
    yield dg.ExpectationResult(success=True, label="fine")
    yield dg.AssetObservation(asset_key=["shapes", "seen"], metadata={"rows": 3})
    yield dg.AssetMaterialization(asset_key=["shapes", "made"], metadata={"rows": 3})
    context.log_event(dg.AssetMaterialization(asset_key=["shapes", "made_too"]))
    yield dg.Output(1)


@dg.job
def user_events() -> None:
    speaks()


jobs = [
    diamond,
    fan_in,
    several_outputs,
    dynamic_collect,
    dynamic_zero,
    dynamic_without_collect,
    wide,
    optional_outputs,
    skip_into_fan_in,
    dynamic_with_skips,
    nothing_dependencies,
    nested_graphs,
    configured,
    user_events,
]
