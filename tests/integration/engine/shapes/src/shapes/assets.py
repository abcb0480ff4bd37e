"""Assets: chains, multi-assets with subsets, checks, blocking checks, graph assets, partitions."""

from collections.abc import Iterator

import dagster as dg

from shapes.dataflow import add_one, double, one

PREFIX = "shapes"
LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-01-06")


@dg.asset(key_prefix=PREFIX)
def source() -> int:
    return 1


@dg.asset(key_prefix=PREFIX)
def derived(source: int) -> int:
    return source + 1


@dg.asset(key_prefix=PREFIX)
def last(derived: int, source: int) -> dg.MaterializeResult[int]:
    return dg.MaterializeResult(value=derived + source, metadata={"rows": 3})


@dg.multi_asset(
    specs=[dg.AssetSpec([PREFIX, name], skippable=True) for name in ("red", "green", "blue")],
    can_subset=True,
)
def colours(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    for key in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=key)


@dg.asset(key_prefix=PREFIX, deps=[dg.AssetKey([PREFIX, "red"])])
def after_red() -> None:
    """Depend on one of several."""


@dg.multi_asset(
    outs={
        "kept": dg.AssetOut(key_prefix=PREFIX),
        "dropped": dg.AssetOut(key_prefix=PREFIX, is_required=False),
    }
)
def one_of_two() -> Iterator[dg.Output[int]]:
    yield dg.Output(1, "kept")


@dg.asset(key_prefix=PREFIX)
def after_dropped(dropped: int) -> int:
    return dropped


@dg.asset_check(asset=[PREFIX, "derived"])
def derived_is_two(derived: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=derived == 2, metadata={"value": derived})


@dg.asset_check(asset=[PREFIX, "last"])
def last_is_odd() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


@dg.asset(key_prefix=PREFIX, check_specs=[dg.AssetCheckSpec("inside", asset=[PREFIX, "checked"])])
def checked() -> Iterator[object]:
    yield dg.Output(1)
    yield dg.AssetCheckResult(passed=True)


@dg.asset(key_prefix=PREFIX)
def guarded() -> int:
    return -1


@dg.asset_check(asset=[PREFIX, "guarded"], blocking=True)
def guarded_is_positive(guarded: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=guarded > 0)


@dg.asset(key_prefix=PREFIX)
def behind_the_guard(guarded: int) -> int:
    return guarded


@dg.graph_asset(key_prefix=PREFIX)
def graphed() -> int:
    return double(add_one(one()))


@dg.asset(key_prefix=PREFIX, partitions_def=LETTERS)
def by_letter(context: dg.AssetExecutionContext) -> str:
    return context.partition_key


@dg.asset(key_prefix=PREFIX, partitions_def=LETTERS)
def by_letter_next(by_letter: str) -> str:
    return by_letter * 2


@dg.asset(key_prefix=PREFIX)
def all_letters(by_letter: dict[str, str]) -> int:
    return len(by_letter)


@dg.asset(key_prefix=PREFIX, partitions_def=DAYS)
def by_day(context: dg.AssetExecutionContext) -> str:
    return str(context.partition_time_window.start.date())


@dg.asset(
    key_prefix=PREFIX, partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[by_day]
)
def days_at_once(context: dg.AssetExecutionContext) -> dict[str, int]:
    return {key: len(key) for key in context.partition_keys}


@dg.observable_source_asset(key=[PREFIX, "outside"])
def outside() -> dg.DataVersion:
    return dg.DataVersion("7")


@dg.asset(key_prefix=PREFIX)
def breaks(source: int) -> int:
    raise ValueError(f"no good: {source}")


@dg.asset(key_prefix=PREFIX)
def after_break(breaks: int) -> int:
    return breaks


assets = [
    source,
    derived,
    last,
    colours,
    after_red,
    one_of_two,
    after_dropped,
    checked,
    guarded,
    behind_the_guard,
    graphed,
    by_letter,
    by_letter_next,
    all_letters,
    by_day,
    days_at_once,
    outside,
    breaks,
    after_break,
]
checks = [derived_is_two, last_is_odd, guarded_is_positive]
jobs = [
    dg.define_asset_job("chain", dg.AssetSelection.assets(source, derived, last)),
    dg.define_asset_job("letters", dg.AssetSelection.assets(by_letter, by_letter_next)),
    dg.define_asset_job("days", dg.AssetSelection.assets(by_day)),
]
