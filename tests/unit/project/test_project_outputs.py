"""What may leave the node is written whole, under a harmless name, the same bytes each time, on record."""
# No `from __future__ import annotations` here: Dagster reads the annotations of contexts.

import datetime as dt
import errno
import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from phems.errors import InputError, RefusedError, UnavailableError
from phems.project import Outputs, outputs

CONTEXT = dg.build_op_context()
FOLDER = Path(".phems/artifacts/outputs") / CONTEXT.run_id

pytestmark = pytest.mark.usefixtures("laptop")


def test_on_a_laptop_an_output_is_hashed_where_it_lies(laptop: Path) -> None:
    """An author could not see what a release request would name."""
    written = outputs.write_text(CONTEXT, "notes/reading.txt", "grüße\n")
    assert written.path == laptop / FOLDER / "notes" / "reading.txt"
    assert written.path.read_bytes() == "grüße\n".encode()
    assert written.sha256 == hashlib.sha256("grüße\n".encode()).hexdigest()
    assert written.size == 8


def test_in_a_node_the_control_plane_records_it(enter_node: Any) -> None:
    """An output would not be on record, and no release request could name it."""
    registrar = enter_node()
    written = outputs.write_text(CONTEXT, "km/curve.csv", "day\n")
    assert registrar.registered == [f"outputs/{CONTEXT.run_id}/km/curve.csv"]
    assert written.sha256 == hashlib.sha256(b"day\n").hexdigest()
    assert written.path == registrar.artifact_dir / registrar.registered[0]


def test_a_file_is_written_line_by_line(laptop: Path) -> None:
    """A large output would have to fit into memory; its line ends would differ by machine."""
    with outputs.open(CONTEXT, "curve.csv") as file:
        for day in range(3):
            file.write(f"{day}\n")
        assert not (laptop / FOLDER / "curve.csv").exists()
    assert file.written.size == 6
    assert (laptop / FOLDER / "curve.csv").read_bytes() == b"0\n1\n2\n"


@pytest.mark.parametrize("opened", [outputs.open, outputs.open_binary])
def test_a_step_that_fails_leaves_no_half_output(
    laptop: Path, enter_node: Any, opened: Callable[..., Any]
) -> None:
    """Half a table could be released."""
    registrar = enter_node()
    with pytest.raises(ZeroDivisionError), opened(CONTEXT, "half.csv"):
        _ = 1 / 0
    assert list((registrar.artifact_dir / "outputs" / CONTEXT.run_id).iterdir()) == []
    assert registrar.registered == []


def test_a_retry_replaces_the_output(laptop: Path) -> None:
    """The second attempt of a step would fail because of the first."""
    outputs.write_text(CONTEXT, "result.txt", "first")
    assert outputs.write_text(CONTEXT, "result.txt", "second").path.read_text() == "second"
    assert [path.name for path in (laptop / FOLDER).iterdir()] == ["result.txt"]


NAMES = {
    "": "empty",
    "/etc/passwd": "absolute",
    "../other.csv": "climbs",
    "km/../../other.csv": "climbs",
    ".hidden": "hidden",
    "km/.hidden/a.csv": "hidden",
    "./a.csv": "hidden",
    "km/": "slash",
    "km//a.csv": "may hold",
    "a b.csv": "may hold",
    "-rf": "may hold",
    "é.csv": "may hold",
    "a\n.csv": "may hold",
    "a\0.csv": "may hold",
    "a\\b.csv": "may hold",
    "a/b/c/d/e/f/g/h/i.csv": "deep",
    "a" * 101: "100",
    "/".join(["a" * 90] * 3): "240",
}


@pytest.mark.parametrize(("name", "why"), NAMES.items(), ids=map(repr, NAMES))
def test_a_name_that_could_do_harm_is_refused(laptop: Path, name: str, why: str) -> None:
    """A file could land outside the run's outputs, hide, or trip whoever downloads it."""
    with pytest.raises(InputError) as refused:
        outputs.write_text(CONTEXT, name, "x")
    assert repr(name) in refused.value.what
    assert why in refused.value.why
    assert list(laptop.rglob("*")) == []


@pytest.mark.parametrize("link", ["km", "km/curve.csv"])
def test_a_link_in_the_way_is_refused(laptop: Path, link: str) -> None:
    """An output's bytes could be changed from elsewhere after review."""
    target = laptop / "elsewhere"
    target.mkdir()
    place = laptop / FOLDER / link
    place.parent.mkdir(parents=True)
    place.symlink_to(target)
    with pytest.raises(InputError, match="is a symbolic link") as refused:
        outputs.write_text(CONTEXT, "km/curve.csv", "x")
    assert str(place) in refused.value.what
    assert list(target.iterdir()) == []


def test_an_artifact_area_that_is_itself_a_link_is_fine(laptop: Path) -> None:
    """A laptop whose data lie on another disk could write nothing."""
    (laptop / "disk").mkdir()
    (laptop / ".phems").mkdir()
    (laptop / ".phems" / "artifacts").symlink_to(laptop / "disk")
    assert outputs.write_text(CONTEXT, "a.txt", "x").size == 1


def test_a_folder_in_the_way_is_said_plainly() -> None:
    """An author would see a bare traceback."""
    outputs.write_text(CONTEXT, "km/curve.csv", "x")
    with pytest.raises(UnavailableError, match="a folder lies where the file must go"):
        outputs.write_text(CONTEXT, "km", "x")
    with pytest.raises(UnavailableError, match="a file lies where a folder must be"):
        outputs.write_text(CONTEXT, "km/curve.csv/more.csv", "x")


def test_a_file_over_the_size_limit_is_said_plainly(laptop: Path) -> None:
    """A 2 GB output would end in a bare traceback, or in a file cut short."""
    code = (
        "import resource, dagster as dg; from phems.project import outputs\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: outputs.write_bytes(dg.build_op_context(), 'big.csv', b'x' * 2000)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=laptop
    )
    assert done.stdout.startswith(RefusedError.__name__)
    assert "size limit of this project" in done.stdout
    assert "resources.file_size" in done.stdout
    assert [path for path in laptop.rglob("*") if path.is_file()] == []


def test_a_full_disk_is_said_plainly_and_leaves_nothing(laptop: Path) -> None:
    """A person would search for a bug in the code."""
    with pytest.raises(UnavailableError, match="the disk is full"), outputs.open(CONTEXT, "a.csv"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list((laptop / FOLDER).iterdir()) == []


def test_an_error_about_another_file_is_left_as_it_is(laptop: Path) -> None:
    """An author's own mistake would be told as a fault of the artifact area."""
    (laptop / "file").write_text("")
    with pytest.raises(NotADirectoryError), outputs.open(CONTEXT, "a.csv"):
        (laptop / "file" / "below").read_text()


DAY = dt.date(2026, 1, 2)
TABLES: dict[str, Any] = {
    "pandas": pd.DataFrame({"n": [20, None], "ok": [True, False], "at": [DAY] * 2}),
    "polars": pl.DataFrame({"n": [20.0, None], "ok": [True, False], "at": [DAY] * 2}),
    "arrow": pa.table({"n": [20.0, None], "ok": [True, False], "at": [DAY] * 2}),
    "rows": [
        {"n": 20.0, "ok": True, "at": DAY},
        {"n": None, "ok": False, "at": DAY},
    ],
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_the_same_bytes_from_any_library(kind: str) -> None:
    """A repeated run could not be compared with the released file."""
    written = outputs.write_table(CONTEXT, "table.csv", TABLES[kind])
    assert written.path.read_bytes() == b"n,ok,at\n20.0,true,2026-01-02\n,false,2026-01-02\n"


@pytest.mark.parametrize("kind", TABLES)
def test_a_parquet_table_carries_no_metadata(kind: str) -> None:
    """Versions and hidden indexes would leave the node inside the file."""
    first = outputs.write_table(CONTEXT, "table.parquet", TABLES[kind])
    assert pq.read_schema(first.path).metadata is None
    assert pq.read_table(first.path).column("n").to_pylist() == [20.0, None]
    assert outputs.write_table(CONTEXT, "again.parquet", TABLES[kind]).sha256 == first.sha256


def test_a_named_index_is_kept_and_an_unnamed_one_left_out() -> None:
    """Group names would be lost from a table, or row numbers of patients be released with it."""
    frame = pd.DataFrame({"n": [20]}, index=pd.Index(["male"], name="sex"))
    assert outputs.write_table(CONTEXT, "a.csv", frame).path.read_text() == "sex,n\nmale,20\n"
    frame.index.name = None
    assert outputs.write_table(CONTEXT, "b.csv", frame).path.read_text() == "n\n20\n"


@pytest.mark.parametrize("table", [[], "n\n20\n", {"n": [20]}, None], ids=str)
def test_what_is_no_table_is_refused(table: Any) -> None:
    """An empty or wrong file would be released as a table."""
    with pytest.raises(InputError, match="cannot be written as a table"):
        outputs.write_table(CONTEXT, "a.csv", table)


def test_json_is_sorted_and_takes_numpy_numbers() -> None:
    """The same result would have another hash each time, or need converting by hand."""
    value = {"b": np.float64(0.5), "a": [np.int64(3), np.bool_(True)], "day": dt.date(2026, 1, 2), "ü": None}
    written = outputs.write_json(CONTEXT, "a.json", value)
    assert json.loads(written.path.read_text()) == {"a": [3, True], "b": 0.5, "day": "2026-01-02", "ü": None}
    assert written.path.read_text().startswith('{\n  "a"')
    assert outputs.write_json(CONTEXT, "b.json", dict(reversed(value.items()))).sha256 == written.sha256


@pytest.mark.parametrize("value", [math.nan, math.inf, pytest.param(object(), id="object"), {1, 2}], ids=str)
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    """A file that other tools cannot read would be released."""
    with pytest.raises(InputError, match=r"a.json cannot be written as JSON"):
        outputs.write_json(CONTEXT, "a.json", {"value": value})


def test_a_figure_is_a_picture_without_a_trace_of_its_making() -> None:
    """The same plot would have another hash each time, and name the software that drew it."""
    figure = Figure()
    figure.subplots().plot([0, 1], [1, 0])
    first = outputs.write_figure(CONTEXT, "a.png", figure, dpi=50)
    content = first.path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert mpl.__version__.encode() not in content
    assert b"tEXt" not in content
    assert outputs.write_figure(CONTEXT, "b.png", figure, dpi=50).sha256 == first.sha256


@pytest.mark.parametrize(
    ("write", "name"),
    [(outputs.write_json, "a.txt"), (outputs.write_table, "a.xlsx"), (outputs.write_figure, "a.svg")],
)
def test_an_ending_that_does_not_fit_is_refused(write: Callable[..., Any], name: str) -> None:
    """A file would not be what its name says, and its output checks be the wrong ones."""
    with pytest.raises(InputError, match=f"'{name}' cannot be the name of"):
        write(CONTEXT, name, [{"n": 1}])


def test_the_ui_shows_the_outputs_of_a_step() -> None:
    """Nobody would find a run's outputs from its asset page."""

    @dg.asset
    def released(context: dg.AssetExecutionContext, outputs: Outputs) -> None:
        first = outputs.write_text(context, "a.txt", "x")
        second = outputs.write_text(context, "b.txt", "y")
        context.add_output_metadata(first.metadata() | second.metadata())

    result = dg.materialize([released], resources={"outputs": Outputs()})
    (event,) = result.get_asset_materialization_events()
    shown: Any = event.materialization.metadata["output/a.txt"].value
    assert shown["sha256"] == hashlib.sha256(b"x").hexdigest()
    assert shown["path"].endswith(f"outputs/{result.run_id}/a.txt")
    assert "output/b.txt" in event.materialization.metadata


def test_asset_checks_can_write_outputs_too() -> None:
    """A check could not write down what it found."""

    @dg.asset
    def checked() -> int:
        return 1

    @dg.asset_check(asset=checked)
    def found(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=outputs.write_text(context, "found.txt", "x").size == 1)

    result = dg.materialize([checked, found])
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
