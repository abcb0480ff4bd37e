"""Reading the file of a data source: every format as Arrow, and every format through DuckDB."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from phems.contract.runtime import SourceInfo
from phems.errors import InputError
from phems.project.tables import library

_NO_FETCHING = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
_TABLES = (
    "SELECT table_name FROM information_schema.tables "
    "WHERE table_schema = 'main' AND table_catalog = current_database() ORDER BY table_name"
)


def read_arrow(name: str, info: SourceInfo, table: str | None) -> pa.Table:
    """All rows of the source `name`; `table` picks one of a database's tables and says nothing to a file."""
    try:
        return _READERS[info.format](name, info, table)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"The data source {name} cannot be read as {info.format}: {info.path}",
            why=str(error).splitlines()[0],
            remedy="write the file anew, and check that it reads in the tool that wrote it",
        ) from error


def open_duckdb(name: str, info: SourceInfo) -> Any:
    """A connection to the source's own database, or to a view of its file; neither fetches extensions."""
    duckdb = library("duckdb", wanted_for="Reading a data source with DuckDB")
    settings = _NO_FETCHING | {"temp_directory": tempfile.gettempdir()}
    try:
        if info.format == "duckdb":
            return duckdb.connect(str(info.path), read_only=True, config=settings)
        connection = duckdb.connect(":memory:", config=settings)
        relation = getattr(connection, f"read_{info.format}")(str(info.path))
        relation.create_view(name.replace("-", "_"))
    except duckdb.Error as error:
        raise InputError(
            f"The data source {name} cannot be opened by DuckDB: {info.path}",
            why=str(error).splitlines()[0],
            remedy="write the file anew (a database with a DuckDB no newer than this environment's, "
            f"{duckdb.__version__}), and close it before it is read here",
        ) from error
    return connection


def _read_parquet(_name: str, info: SourceInfo, _table: str | None) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.ParquetFile(info.path).read()


def _read_csv(_name: str, info: SourceInfo, _table: str | None) -> pa.Table:
    from pyarrow import csv

    return csv.read_csv(info.path)


def _read_duckdb(name: str, info: SourceInfo, table: str | None) -> pa.Table:
    with open_duckdb(name, info) as connection:
        tables = [row[0] for row in connection.execute(_TABLES).fetchall()]
        chosen = table or (tables[0] if len(tables) == 1 else None)
        if chosen is None or chosen not in tables:
            raise InputError(
                f"The data source {name} has no table {chosen}"
                if chosen
                else f"The data source {name} does not hold just one table",
                why=f"{info.path.name} holds: {', '.join(tables) or 'no table at all'}",
                remedy='name one of them, e.g. source.arrow(table="visits")',
            )
        quoted = chosen.replace('"', '""')
        return connection.sql(f'SELECT * FROM "{quoted}"').to_arrow_table()  # noqa: S608  (it is in `tables`)


_READERS: Mapping[str, Callable[[str, SourceInfo, str | None], pa.Table]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "duckdb": _read_duckdb,
}
