"""A project reads what it was granted, in the library it likes, and is told plainly why not otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phems.contract.runtime import SourceInfo
from phems.errors import InputError, NotFoundError, RefusedError, UnavailableError
from phems.project import DataSource

ROWS = pa.table({"patient_id": ["W1", "W2", "W3"], "age": [70.5, 61.0, 55.25]})
AGES = {"W1": 70.5, "W2": 61.0, "W3": 55.25}


def _parquet(path: Path) -> None:
    pq.write_table(ROWS, path)


def _csv(path: Path) -> None:
    path.write_text("patient_id,age\nW1,70.5\nW2,61.0\nW3,55.25\n")


def _duckdb(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute('CREATE TABLE "patients" (patient_id VARCHAR, age DOUBLE)')
        connection.execute("INSERT INTO patients VALUES ('W1', 70.5), ('W2', 61.0), ('W3', 55.25)")


WRITERS: dict[str, Callable[[Path], None]] = {"parquet": _parquet, "csv": _csv, "duckdb": _duckdb}


@pytest.fixture(params=WRITERS)
def source(request: pytest.FixtureRequest, laptop: Path) -> DataSource:
    """The same three patients in each format, in the folder `data` of a laptop."""
    (laptop / "data").mkdir()
    WRITERS[request.param](laptop / "data" / f"whas-500.{request.param}")
    return DataSource(source="whas-500")


def _ages(frame: Any) -> dict[str, float]:
    return dict(zip(list(frame["patient_id"]), list(frame["age"]), strict=True))


def test_every_format_reads_into_every_library(source: DataSource) -> None:
    """A project would have to know how the hospital stores its data."""
    assert source.arrow().to_pydict() == ROWS.to_pydict()
    frame, lazy = source.pandas(), source.polars()
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(lazy, pl.DataFrame)
    assert _ages(frame) == _ages(lazy) == AGES


def test_duckdb_asks_questions_of_every_format(source: DataSource) -> None:
    """Large sources could only be read whole."""
    table = "patients" if source.path().suffix == ".duckdb" else "whas_500"
    with source.duckdb() as connection:
        answer = connection.execute(f"SELECT patient_id FROM {table} WHERE age > 65").fetchall()  # noqa: S608
    assert answer == [("W1",)]


def test_a_duckdb_source_cannot_be_changed(laptop: Path) -> None:
    """A project could alter the hospital's data on a machine where the mount is writable."""
    (laptop / "data").mkdir()
    _duckdb(laptop / "data" / "whas500.duckdb")
    with (
        DataSource(source="whas500").duckdb() as connection,
        pytest.raises(duckdb.Error, match="read-only"),
    ):
        connection.execute("DELETE FROM patients")


def test_a_duckdb_source_of_several_tables_asks_for_a_name(laptop: Path) -> None:
    """An author would get some table, not the one that was meant."""
    path = laptop / "clinic.duckdb"
    _duckdb(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute('CREATE TABLE "a ""b" AS SELECT 1 AS one')
    os.environ["PHEMS_SOURCE_CLINIC"] = str(path)
    try:
        source = DataSource(source="clinic")
        with pytest.raises(InputError, match=r'holds: a "b, patients'):
            source.arrow()
        with pytest.raises(InputError, match="no table visits"):
            source.arrow(table="visits")
        assert source.arrow(table='a "b').to_pydict() == {"one": [1]}
    finally:
        del os.environ["PHEMS_SOURCE_CLINIC"]


def test_in_a_node_the_grant_names_the_file(enter_node: Any, tmp_path: Path) -> None:
    """A granted source could not be read."""
    _parquet(tmp_path / "mounted")
    enter_node(whas500=SourceInfo(tmp_path / "mounted", "parquet"))
    assert DataSource(source="whas500").path() == tmp_path / "mounted"
    assert DataSource(source="whas500").arrow().num_rows == 3


def test_without_a_grant_the_error_says_who_can_give_it(
    enter_node: Any, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A researcher would see a missing file and not know whom to ask; a laptop's variables must not help."""
    _parquet(laptop / "stolen.parquet")
    monkeypatch.setenv("PHEMS_SOURCE_GBSG2", str(laptop / "stolen.parquet"))
    enter_node(whas500=SourceInfo(laptop, "parquet"))
    with pytest.raises(RefusedError) as refused:
        DataSource(source="gbsg2").pandas()
    assert refused.value.what == "This project has no grant for the data source gbsg2"
    assert "heart-attack may read: whas500" in refused.value.why
    assert "projects.heart-attack.data_grants" in refused.value.remedy
    assert "Information Asset Owner" in refused.value.remedy


def test_on_a_laptop_a_variable_names_the_file(laptop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An author could not try the code without the node."""
    _csv(laptop / "mine.CSV")
    monkeypatch.setenv("PHEMS_SOURCE_WHAS_500", str(laptop / "mine.CSV"))
    assert DataSource(source="whas-500").arrow().num_rows == 3


def test_on_a_laptop_a_folder_holds_the_files(laptop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source would need a variable of its own."""
    (laptop / "elsewhere").mkdir()
    _csv(laptop / "elsewhere" / "whas500.csv")
    monkeypatch.setenv("PHEMS_DATA", str(laptop / "elsewhere"))
    assert DataSource(source="whas500").path() == laptop / "elsewhere" / "whas500.csv"


@pytest.mark.usefixtures("laptop")
def test_on_a_laptop_without_the_file_the_error_says_where_to_put_it() -> None:
    """An author's first run would end in a riddle."""
    with pytest.raises(NotFoundError, match=r"PHEMS_SOURCE_WHAS500 is not set") as missing:
        DataSource(source="whas500").path()
    assert "export PHEMS_SOURCE_WHAS500=" in missing.value.remedy


def test_a_variable_that_names_an_unknown_format_is_refused(
    laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spreadsheet would be read as if it were something else."""
    monkeypatch.setenv("PHEMS_SOURCE_WHAS500", str(laptop / "patients.xlsx"))
    with pytest.raises(InputError, match=r"PHEMS_SOURCE_WHAS500 names .*patients.xlsx"):
        DataSource(source="whas500").path()


@pytest.mark.parametrize("name", ["", "../whas500", "WHAS500", "a b", "9lives"])
def test_a_name_that_no_source_can_have_is_refused(name: str) -> None:
    """A slip in a name would look like a missing grant, or reach for another folder."""
    with pytest.raises(InputError, match="no name of a data source"):
        DataSource(source=name).path()


def test_a_file_that_went_away_is_named(enter_node: Any, tmp_path: Path) -> None:
    """The operator would not know which file to bring back."""
    enter_node(whas500=SourceInfo(tmp_path / "gone.parquet", "parquet"))
    with pytest.raises(UnavailableError, match=r"whas500 cannot be read: .*gone.parquet"):
        DataSource(source="whas500").pandas()


@pytest.mark.parametrize(
    ("kind", "content", "why"),
    [
        ("parquet", b"patient_id,age\n", "PAR1"),
        ("parquet", b"", "PAR1"),
        ("parquet", b"PAR1PAR1", "cut off"),
        ("parquet", b"PAR1" + b"x" * 50, "cut off"),
        ("csv", b"", "empty"),
        ("csv", b" \n", "empty"),
        ("csv", b"a,b\n1,\0\n", "binary"),
        ("csv", b"a,b\n\xff\xfe,1\n", "UTF-8"),
        ("duckdb", b"SQLite format 3\0", "DUCK"),
    ],
)
def test_a_file_of_another_format_is_refused(
    enter_node: Any, tmp_path: Path, kind: str, content: bytes, why: str
) -> None:
    """A broken file would end in a reader's own obscure words, or in wrong rows."""
    path = tmp_path / "whas500"
    path.write_bytes(content)
    enter_node(whas500=SourceInfo(path, kind))
    with pytest.raises(InputError) as refused:
        DataSource(source="whas500").path()
    assert str(path) in refused.value.what
    assert why in refused.value.why
    assert "data_sources.whas500.format" in refused.value.remedy


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("parquet", b"PAR1" + b"x" * 50 + b"PAR1"),
        ("csv", b"a,b\n1,2,3\n"),
        ("duckdb", b"x" * 8 + b"DUCK" + b"x" * 100),
    ],
)
def test_a_file_that_only_looks_right_is_refused(
    enter_node: Any, tmp_path: Path, kind: str, content: bytes
) -> None:
    """A damaged file would show a traceback of a library that the author never chose."""
    path = tmp_path / "whas500"
    path.write_bytes(content)
    enter_node(whas500=SourceInfo(path, kind))
    with pytest.raises(InputError, match="whas500 cannot be"):
        DataSource(source="whas500").arrow()


def test_a_damaged_file_is_refused_by_duckdb_too(enter_node: Any, tmp_path: Path) -> None:
    """The same file would end in a traceback when it is asked through DuckDB."""
    path = tmp_path / "whas500"
    path.write_bytes(b"PAR1" + b"x" * 50 + b"PAR1")
    enter_node(whas500=SourceInfo(path, "parquet"))
    with pytest.raises(InputError, match="cannot be opened by DuckDB"):
        DataSource(source="whas500").duckdb()


def test_text_cut_in_the_middle_of_a_letter_is_still_text(enter_node: Any, tmp_path: Path) -> None:
    """A large CSV file with an umlaut at the wrong byte would be refused."""
    path = tmp_path / "names.csv"
    path.write_bytes(b"name\n" + b"a" * (64 * 1024 - 9) + b"\n" + "aäää\n".encode())
    enter_node(names=SourceInfo(path, "csv"))
    assert DataSource(source="names").path() == path


@pytest.mark.parametrize("library", ["pandas", "polars", "duckdb"])
def test_a_library_that_is_not_installed_is_named(
    laptop: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    """An author would not know that a package is missing in the project's environment."""
    _parquet(laptop / "whas500.parquet")
    monkeypatch.setenv("PHEMS_DATA", str(laptop))
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UnavailableError, match=rf"needs the package {library}") as missing:
        getattr(DataSource(source="whas500"), library)()
    assert f"pip install {library}" in missing.value.remedy
