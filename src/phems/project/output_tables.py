"""Writing a table so that the same values give the same bytes, as CSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import IO, Any

import pyarrow as pa

from phems.errors import InputError
from phems.project.tables import kind_of, table_of_rows, to_arrow


def _as_released(table: Any) -> pa.Table:
    """Any table without its library's own metadata (versions, index), which would leave the node with it."""
    kind = kind_of(table)
    if kind == "pandas":
        named = any(name is not None for name in table.index.names)
        arrow = to_arrow(table.reset_index() if named else table, keep_index=False)
    elif kind is not None:
        arrow = to_arrow(table)
    elif isinstance(table, Sequence) and table and all(isinstance(row, Mapping) for row in table):
        arrow = table_of_rows(table)
    else:
        raise InputError(
            f"A {type(table).__name__} cannot be written as a table",
            why="a table is of Arrow, pandas or polars, or a list of dicts that is not empty",
            remedy="make one of them first, e.g. pandas.DataFrame(...)",
        )
    return arrow.replace_schema_metadata(None)


def _write_csv(table: Any, file: IO[bytes]) -> None:
    arrow = _as_released(table)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(arrow.column_names)
    for batch in arrow.to_batches():
        columns = [[_cell(value) for value in column.to_pylist()] for column in batch.columns]
        writer.writerows(zip(*columns, strict=True))
    text.flush()
    text.detach()


def _cell(value: Any) -> Any:
    """Missing is empty, truth is `true` or `false`, a time is ISO 8601, a float as short as is exact."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime | date | time) else value


def _write_parquet(table: Any, file: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_as_released(table), file, store_schema=False)


TABLE_FORMATS: Mapping[str, Callable[[Any, IO[bytes]], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
