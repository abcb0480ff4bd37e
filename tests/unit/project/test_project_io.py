"""Values between steps come back as they went in, as the next step wants them, or with a clear word."""
# No `from __future__ import annotations` here: Dagster reads the annotations of contexts.

import pickle
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster._core.definitions.job_definition import default_job_io_manager

from phems.contract.process_environment import PROCESS_ENVIRONMENT
from phems.contract.runtime import current_runtime, set_runtime
from phems.errors import InputError, NotFoundError, UnavailableError
from phems.project import ProjectIOManager

FRAME = pd.DataFrame(
    {"id": [1, 2], "group": pd.Categorical(["a", "b"])}, index=pd.Index([10, 20], name="row")
)
DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def _run(instance: dg.DagsterInstance, *assets: Any, **options: Any) -> dg.ExecuteInProcessResult:
    resources = {"io_manager": ProjectIOManager()}
    return dg.materialize([*assets], instance=instance, resources=resources, **options)


def _kept(value: Any) -> dg.AssetsDefinition:
    @dg.asset
    def kept() -> Any:
        return value

    return kept


def _read_as(hint: Any) -> dg.AssetsDefinition:
    def read(kept: Any) -> str:
        return f"{type(kept).__module__.partition('.')[0]}.{type(kept).__name__}"

    read.__annotations__["kept"] = hint
    return dg.asset(read)


KINDS = {
    "pandas.DataFrame": FRAME,
    "pyarrow.Table": pa.table({"a": [1]}),
    "polars.DataFrame": pl.DataFrame({"a": [1]}),
}
HINTS = {"pandas.DataFrame": pd.DataFrame, "pyarrow.Table": pa.Table, "polars.DataFrame": pl.DataFrame}


@pytest.mark.usefixtures("laptop")
@pytest.mark.parametrize("wanted", HINTS)
@pytest.mark.parametrize("written", KINDS)
def test_a_table_comes_back_as_the_type_hint_asks(
    instance: dg.DagsterInstance, written: str, wanted: str
) -> None:
    """Each step would have to convert tables by hand."""
    for hint in (HINTS[wanted], HINTS[wanted] | None):
        assert _run(instance, _kept(KINDS[written]), _read_as(hint)).output_for_node("read") == wanted


@pytest.mark.usefixtures("laptop")
@pytest.mark.parametrize("written", KINDS)
def test_without_a_hint_a_table_comes_back_as_it_was(instance: dg.DagsterInstance, written: str) -> None:
    """A step without type hints would get another library's table."""
    assert _run(instance, _kept(KINDS[written]), _read_as(Any)).output_for_node("read") == written


def test_a_pandas_table_keeps_its_index_and_types(laptop: Path, instance: dg.DagsterInstance) -> None:
    """Values would change between two steps without a word."""

    @dg.asset
    def same(kept: pd.DataFrame) -> bool:
        pd.testing.assert_frame_equal(kept, FRAME)
        return True

    assert _run(instance, _kept(FRAME), same).success
    assert pq.read_table(laptop / ".phems/artifacts/io/assets/kept/@value").num_rows == 2


ODD_FRAMES = {
    "mixed": pd.DataFrame({"a": [1, "x", object]}),
    "twice": pd.DataFrame([[1, 2]], columns=["a", "a"]),
}
TWICE = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])


@pytest.mark.usefixtures("laptop")
@pytest.mark.parametrize("value", [*ODD_FRAMES.values(), TWICE, {"beta": 0.7}, None, "text"], ids=str)
def test_what_is_no_plain_table_is_pickled(instance: dg.DagsterInstance, value: Any) -> None:
    """A model, a number or an odd table could not go from step to step."""

    @dg.asset
    def same(kept: Any) -> bool:
        return bool(kept.equals(value) if isinstance(value, pd.DataFrame) else kept == value)

    assert _run(instance, _kept(value), same).output_for_node("same")


@pytest.mark.usefixtures("laptop")
def test_the_ui_shows_how_much_was_stored(instance: dg.DagsterInstance) -> None:
    """Nobody would see in the UI that a table came out empty."""
    (event,) = _run(instance, _kept(FRAME)).get_asset_materialization_events()
    metadata = {key: value.value for key, value in event.materialization.metadata.items()}
    assert metadata["rows"] == 2
    assert metadata["columns"] == ["id", "group", "row"]
    assert metadata["bytes"] == Path(str(metadata["path"])).stat().st_size


@pytest.mark.usefixtures("laptop")
def test_what_the_author_notes_is_not_overwritten(instance: dg.DagsterInstance) -> None:
    """An author's own count would be replaced by ours, or the step would fail."""

    @dg.asset
    def noted(context: dg.AssetExecutionContext) -> pd.DataFrame:
        context.add_output_metadata({"rows": 999})
        return FRAME

    (event,) = _run(instance, noted).get_asset_materialization_events()
    assert event.materialization.metadata["rows"].value == 999


@dg.asset(partitions_def=DAYS)
def daily(context: dg.AssetExecutionContext) -> pd.DataFrame:
    """One row that names its day."""
    return pd.DataFrame({"day": [context.partition_key]})


@pytest.mark.usefixtures("laptop")
def test_partitions_are_kept_apart_and_read_together(instance: dg.DagsterInstance) -> None:
    """A second day's report would overwrite the first's."""

    @dg.asset
    def tables(daily: Mapping[str, pa.Table]) -> dict[str, Any]:
        return {day: table["day"].to_pylist() for day, table in daily.items()}

    @dg.asset(partitions_def=DAYS)
    def one(daily: pd.DataFrame) -> str:
        return str(daily["day"][0])

    for day in DAYS.get_partition_keys():
        result = _run(instance, daily, one, partition_key=day)
        assert result.output_for_node("one") == day
    read = _run(instance, daily, tables, selection=[tables]).output_for_node("tables")
    assert read == {day: [day] for day in DAYS.get_partition_keys()}


@pytest.mark.usefixtures("laptop")
def test_a_missing_partition_is_named_or_left_out_as_asked(instance: dg.DagsterInstance) -> None:
    """A monthly summary would fail for a holiday, or pass without a day that matters."""

    @dg.asset(ins={"daily": dg.AssetIn(metadata={"allow_missing_partitions": True})})
    def lenient(daily: dict[str, pd.DataFrame]) -> list[str]:
        return sorted(daily)

    @dg.asset
    def strict(daily: dict[str, pd.DataFrame]) -> list[str]:
        return sorted(daily)

    _run(instance, daily, partition_key="2026-01-02")
    assert _run(instance, daily, lenient, selection=[lenient]).output_for_node("lenient") == ["2026-01-02"]
    with pytest.raises(
        NotFoundError, match="The partition 2026-01-01 of the asset daily has no stored value"
    ):
        _run(instance, daily, strict, selection=[strict])


def _all_days(value: Any) -> dg.AssetsDefinition:
    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def whole() -> Any:
        return value

    return whole


RANGE = {
    "dagster/asset_partition_range_start": "2026-01-01",
    "dagster/asset_partition_range_end": "2026-01-03",
}


def test_one_step_may_write_several_partitions(laptop: Path, instance: dg.DagsterInstance) -> None:
    """A backfill in a single run could not be stored."""
    whole = _all_days({day: int(day[-1]) for day in DAYS.get_partition_keys()})
    assert _run(instance, whole, tags=RANGE).success
    folder = laptop / ".phems/artifacts/io/assets/whole"
    assert {path.name: pickle.loads(path.read_bytes()) for path in folder.iterdir()} == {  # noqa: S301
        "partition=2026-01-01": 1,
        "partition=2026-01-02": 2,
        "partition=2026-01-03": 3,
    }


@pytest.mark.usefixtures("laptop")
def test_several_partitions_need_a_value_each(instance: dg.DagsterInstance) -> None:
    """One value would be stored as if it were each day's."""
    with pytest.raises(InputError, match="wrote 3 partitions in one step"):
        _run(instance, _all_days(7), tags=RANGE)


def test_an_asset_that_was_never_made_is_named(laptop: Path, instance: dg.DagsterInstance) -> None:
    """An author would see a bare missing file."""
    kept, read = _kept(1), _read_as(int)
    with pytest.raises(NotFoundError, match="The asset kept has no stored value") as missing:
        _run(instance, kept, read, selection=[read])
    assert str(laptop) in missing.value.why
    assert "+kept" in missing.value.remedy


def test_outputs_of_ops_are_kept_by_run_and_mapping_key(laptop: Path, instance: dg.DagsterInstance) -> None:
    """Two runs, or two branches of a fan-out, would read each other's values."""

    @dg.op(out=dg.DynamicOut(int))
    def numbers() -> Iterator[dg.DynamicOutput[int]]:
        for number in range(3):
            yield dg.DynamicOutput(number, mapping_key=f"n{number}")

    @dg.op
    def double(number: int) -> int:
        return 2 * number

    @dg.op
    def total(doubled: list[int]) -> int:
        return sum(doubled)

    @dg.job(resource_defs={"io_manager": ProjectIOManager()})
    def fan_out() -> None:
        total(numbers().map(double).collect())

    result = fan_out.execute_in_process(instance=instance)
    assert result.output_for_node("total") == 6
    folder = laptop / ".phems/artifacts/io/runs" / result.run_id
    assert sorted(path.name for path in folder.iterdir()) == [
        "double%5Bn0%5D",
        "double%5Bn1%5D",
        "double%5Bn2%5D",
        "numbers",
        "total",
    ]


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        (["..", "etc"], "%2E./etc/@value"),
        (["a/b", ".hidden"], "a%2Fb/%2Ehidden/@value"),
        (["@value"], "%40value/@value"),
        (["partition=1"], "partition%3D1/@value"),
        (["é" * 100], "%C3%A9" * 33 + "%C~f42ec48e1e4b487e590e0b3d4e58437c/@value"),
    ],
)
def test_no_key_leaves_its_folder_or_meets_another(laptop: Path, key: list[str], stored: str) -> None:
    """An asset with an odd name would overwrite another's value, or a file outside."""
    context = dg.build_output_context(asset_key=dg.AssetKey(key))
    ProjectIOManager(base_dir=str(laptop)).handle_output(context, 1)
    assert (laptop / "assets" / stored).is_file()


def test_a_failed_write_leaves_the_old_value_whole(laptop: Path) -> None:
    """A step that dies while it stores would destroy the value of the run before."""

    class Unpicklable:
        def __reduce__(self) -> str:
            raise RuntimeError("no")

    io_manager = ProjectIOManager(base_dir=str(laptop))
    context = dg.build_output_context(asset_key=dg.AssetKey("kept"))
    io_manager.handle_output(context, "old")
    with pytest.raises(RuntimeError):
        io_manager.handle_output(
            dg.build_output_context(asset_key=dg.AssetKey("kept")), [b"x" * 9999, Unpicklable()]
        )
    folder = laptop / "assets" / "kept"
    assert [path.name for path in folder.iterdir()] == ["@value"]
    assert pickle.loads((folder / "@value").read_bytes()) == "old"  # noqa: S301


def test_in_a_node_values_lie_in_the_artifact_area(
    enter_node: Any, laptop: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values would be written to the sandbox's temporary folder and be lost with it."""
    monkeypatch.setenv("PHEMS_ARTIFACTS", str(laptop / "not-here"))
    area = enter_node().artifact_dir
    assert _run(instance, _kept(1)).success
    assert (area / "io/assets/kept/@value").is_file()
    assert not (laptop / "not-here").exists()


def test_a_file_in_the_way_is_said_plainly(
    laptop: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong PHEMS_ARTIFACTS would end in a bare traceback."""
    (laptop / "file").write_text("in the way")
    monkeypatch.setenv("PHEMS_ARTIFACTS", str(laptop / "file"))
    with pytest.raises(UnavailableError, match="a file lies where a folder must be"):
        _run(instance, _kept(1))


class Elsewhere:
    """What the machines of a node share: a folder of its own, to which values go and from which they come."""

    def __init__(self, area: Path, shared: Path) -> None:
        self.area = area
        self.shared = shared

    def keep(self, relative_path: str) -> None:
        place = self.shared / relative_path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((self.area / relative_path).read_bytes())

    def find(self, relative_path: str) -> Path | None:
        place = self.shared / relative_path
        return place if place.is_file() else None


@pytest.mark.usefixtures("laptop")
def test_a_step_on_another_machine_reads_what_was_kept(
    instance: dg.DagsterInstance, enter_node: Any, tmp_path: Path
) -> None:
    """Otherwise a second worker fails on every input that it has not written itself."""
    enter_node()
    runtime = current_runtime()
    assert runtime is not None
    area, shared = runtime.artifact_dir, tmp_path / "shared"
    set_runtime(replace(runtime, values=Elsewhere(area, shared)))
    assert _run(instance, _kept(FRAME)).success
    assert _run(instance, daily, partition_key="2026-01-01").success
    shutil.rmtree(area / "io")  # another machine, with an empty folder
    read = _run(instance, _kept(FRAME).to_source_asset(), _read_as(pd.DataFrame), selection=["read"])
    assert read.output_for_node("read") == "pandas.DataFrame"

    @dg.asset(ins={"daily": dg.AssetIn(metadata={"allow_missing_partitions": True})})
    def days(daily: dict[str, pd.DataFrame]) -> list[str]:
        return sorted(daily)

    found = _run(instance, daily.to_source_asset(), days, selection=["days"])
    assert found.output_for_node("days") == ["2026-01-01"]


@pytest.mark.usefixtures("laptop")
def test_a_value_that_could_not_be_kept_fails_its_step(instance: dg.DagsterInstance, enter_node: Any) -> None:
    """Otherwise a run goes on with a value that only one machine has."""

    class Away(Elsewhere):
        def keep(self, relative_path: str) -> None:
            raise UnavailableError(f"{relative_path} could not be stored")

    enter_node()
    runtime = current_runtime()
    assert runtime is not None
    set_runtime(replace(runtime, values=Away(runtime.artifact_dir, runtime.artifact_dir)))
    with pytest.raises(UnavailableError):
        _run(instance, _kept(1))


def test_definitions_without_an_io_manager_get_one_that_every_worker_reaches(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise plain Dagster code, right on a laptop, loses its values between two workers of a node."""
    for name, value in PROCESS_ENVIRONMENT.items():
        if name.startswith("DAGSTER_DEFAULT_IO_MANAGER"):
            monkeypatch.setenv(name, value)
    init = dg.build_init_resource_context(instance=instance)
    manager = default_job_io_manager(init)
    assert isinstance(manager, ProjectIOManager)
    assert manager.base_dir is None
